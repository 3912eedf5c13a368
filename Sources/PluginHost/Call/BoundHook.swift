/// A plugin's function on a hook, ready to be called.
// PERF: plugin.call; a class, since a struct of so many references costs a count of each per copy.
final class BoundHook: Sendable {
  /// The hook.
  let descriptor: HookDescriptor
  /// The function's name.
  let symbol: String
  /// Whether the function returns the hook's short form.
  let isShortForm: Bool
  private let function: ForeignFunction
  private let slots: [Int]
  private let valuesOffset: Int
  private let frameSize: Int

  /// Checks a signature against a hook and prepares the call.
  init(
    _ binding: HookBinding, in library: SharedLibrary, isThreadSafe: Bool
  ) throws(PluginError) {
    guard let descriptor = HookDescriptor.named(binding.hook) else {
      throw PluginError.hook(
        path: library.path, hook: binding.hook,
        reason: "does not exist (\(HookDescriptor.all.map(\.name).joined(separator: ", ")))")
    }
    let signature: Signature
    do {
      signature = try Signature(parsing: binding.signature)
    } catch {
      throw PluginError.signature(
        path: library.path, hook: binding.hook, text: binding.signature, error)
    }
    self.descriptor = descriptor
    symbol = binding.symbol
    slots = try descriptor.slots(for: signature, path: library.path)
    isShortForm = !descriptor.returns[0].accepts(signature.returns)
    function = try ForeignFunction(
      binding.symbol, in: library, as: signature, isThreadSafe: isThreadSafe)
    let list = (slots.count * MemoryLayout<UInt>.stride).roundedUp(to: 16)
    valuesOffset = function.answerSize + list
    frameSize = valuesOffset + descriptor.frameSize
  }

  /// The function's type.
  var signature: Signature { function.signature }

  /// Calls the function.
  ///
  /// - Parameters:
  ///   - context: the value of the parameter `context`.
  ///   - answer: how to read what it returns: a struct of the hook's full form, `UInt64` for
  ///     numbers, of which the caller keeps the low bits.
  ///   - fill: writes all other values, in the catalogue's order.
  func call<Answer: BitwiseCopyable>(
    context: UInt, as answer: Answer.Type, _ fill: (inout FrameWriter) -> Void
  ) -> Answer {
    assert(MemoryLayout<Answer>.size <= function.answerSize)
    // PERF: `plugin.call`. Below the 1024 bytes that such allocations keep on the stack (answer and
    // list of at most 256 each, the largest hook's values), so a call allocates nothing.
    return unsafe withUnsafeTemporaryAllocation(byteCount: frameSize, alignment: 16) { frame in
      guard let base = frame.baseAddress else {
        preconditionFailure("a frame has at least an answer")
      }
      // SAFETY: answer, list and values follow each other in the frame; the sizes were summed up
      // in init.
      unsafe base.initializeMemory(as: UInt8.self, repeating: 0, count: frameSize)
      let values = unsafe base + valuesOffset
      var writer = unsafe FrameWriter(values)
      writer.put(context)
      fill(&writer)
      unsafe assert(writer.isAt(values + writtenSize))
      let list = unsafe (base + function.answerSize).bindMemory(
        to: UnsafeMutableRawPointer?.self, capacity: slots.count)
      for index in slots.indices {
        unsafe list[index] = unsafe values + slots[index]
      }
      unsafe function.call(arguments: list, answer: base)
      return unsafe base.load(as: Answer.self)
    }
  }

  private var writtenSize: Int {
    guard let last = descriptor.offsets.last, let type = descriptor.parameters.last?.type else {
      return 0
    }
    return last + type.layout.size.roundedUp(to: 8)
  }
}

/// Writes the values of a hook's parameters into the frame of a call, one after the other.
@safe
struct FrameWriter {
  private var next: UnsafeMutableRawPointer

  @unsafe
  init(_ start: UnsafeMutableRawPointer) { unsafe next = unsafe start }

  /// Writes the next parameter's value.
  mutating func put<Value: BitwiseCopyable>(_ value: Value) {
    // SAFETY: each hook's caller writes the catalogue's types in order; debug builds check the end.
    unsafe next.storeBytes(of: value, as: Value.self)
    unsafe next += MemoryLayout<Value>.size.roundedUp(to: 8)
  }

  @unsafe
  func isAt(_ place: UnsafeMutableRawPointer) -> Bool { unsafe next == place }
}

/// A function of a shared object for a hook, as a manifest or a user names it.
public struct HookBinding: Sendable, Hashable {
  /// The hook.
  public let hook: String
  /// The exported function.
  public let symbol: String
  /// Its type, as text.
  public let signature: String

  /// A binding; checked when the plugin is loaded.
  public init(hook: String, symbol: String, signature: String) {
    self.hook = hook
    self.symbol = symbol
    self.signature = signature
  }
}
