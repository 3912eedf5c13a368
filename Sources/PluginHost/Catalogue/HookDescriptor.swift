/// What a hook is: when it is asked, what it offers, what it must answer (SPEC H).
public struct HookDescriptor: Sendable, Hashable {
  /// Which hook it is.
  let kind: HookKind
  /// The name, as manifests and scenarios write it.
  public let name: String
  /// When it is asked.
  public let asked: String
  /// What the answer means.
  public let answer: String
  /// What a function may take, in any choice and order.
  public let parameters: [Parameter]
  /// What a function may return, the full form first.
  public let returns: [CType]
  /// Where each parameter's value stands in the frame of a call. **Units** bytes.
  let offsets: [Int]
  /// All parameters' values together. **Units** bytes.
  let writtenSize: Int
  /// The same, as a multiple of 16.
  let frameSize: Int

  /// A parameter that a hook offers.
  public struct Parameter: Sendable, Hashable {
    /// Its name.
    public let name: String
    /// Its type.
    public let type: CType
    /// What it says.
    public let meaning: String

    init(_ name: String, _ type: CType, _ meaning: String) {
      self.name = name
      self.type = type
      self.meaning = meaning
    }
  }

  /// Every hook gets `context` first.
  init(
    _ kind: HookKind, _ name: String, asked: String, answer: String, returns: [CType],
    parameters: [Parameter]
  ) {
    self.kind = kind
    self.name = name
    self.asked = asked
    self.answer = answer
    self.returns = returns
    self.parameters =
      [Parameter("context", .ptr, "what init stored; NULL without init")] + parameters
    var offsets: [Int] = []
    var size = 0
    for parameter in self.parameters {
      offsets.append(size)
      size += parameter.type.layout.size.roundedUp(to: 8)
    }
    self.offsets = offsets
    writtenSize = size
    frameSize = size.roundedUp(to: 16)
  }

  /// The signature of a function that takes everything, in catalogue order.
  public var fullSignature: Signature {
    Signature(
      returns: returns[0], parameters: parameters.map { Signature.Parameter($0.name, $0.type) })
  }

  /// Where each of a signature's parameters stands in the frame.
  ///
  /// - Throws: `PluginError` about the first parameter, or the return type, that does not fit.
  func slots(for signature: Signature, path: String) throws(PluginError) -> [Int] {
    guard returns.contains(where: { $0.accepts(signature.returns) }) else {
      throw PluginError.returnType(
        path: path, hook: name, found: signature.returns, allowed: returns)
    }
    var slots: [Int] = []
    for given in signature.parameters {
      guard let index = parameters.firstIndex(where: { $0.name == given.name }) else {
        throw PluginError.parameter(
          path: path, hook: name, parameter: given.name, offered: parameters.map(\.name))
      }
      guard parameters[index].type.accepts(given.type) else {
        throw PluginError.parameterType(
          path: path, hook: name, parameter: given.name, found: given.type,
          offered: parameters[index].type)
      }
      slots.append(offsets[index])
    }
    return slots
  }
}
