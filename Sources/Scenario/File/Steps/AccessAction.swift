public import Paging

/// A guest access.
public struct AccessAction: Sendable {
  /// How the bytes read are shown.
  public enum Form: Sendable, Hashable {
    /// A little-endian number.
    case number
    /// Printable text.
    case text
    /// Bytes in hex.
    case bytes
  }

  /// Read, write or fetch.
  public var kind: AccessKind
  /// Where.
  public var va: GVA
  /// **Units** bytes; above 16 the step is split into accesses of 16.
  public var size: Int
  /// What is written.
  public var value: UInt128
  /// Whether in user mode.
  public var isUser: Bool
  /// RFLAGS.AC.
  public var alignmentCheck: Bool
  /// Whether no instruction asked for it.
  public var isImplicit: Bool
  /// Whether a trust domain's guest answers its #VE.
  public var handlesExceptions = false
  /// Which vCPU.
  public var vcpu: Int
  /// How it is shown.
  public var form: Form

  /// The most bytes one step reads.
  public static var largestSize: Int { 4096 }
}

extension AccessAction {
  init(_ kind: AccessKind, _ body: YAMLValue, vcpus: VCPURange) throws(ScenarioError) {
    var map = try body.mapping(kind.description)
    let va = GVA(try map.need("va").number())
    try self.init(kind, va, &map, body, vcpus: vcpus)
  }

  /// An access whose address comes from elsewhere.
  init(
    _ kind: AccessKind, _ va: GVA, _ map: inout YAMLMapping, _ body: YAMLValue, vcpus: VCPURange
  ) throws(ScenarioError) {
    self.kind = kind
    self.va = va
    let isWrite = kind == .write
    let largest = isWrite ? 16 : UInt64(Self.largestSize)
    size = try map.take("size")?.number(1...largest).asInt ?? (kind == .fetch ? 1 : 8)
    value = 0
    form = .number
    if isWrite {
      value = try map.need("value").wideNumber()
      guard size == 16 || value >> UInt128(size * 8) == 0 else {
        throw body.error("the value does not fit \(size) bytes")
      }
    } else {
      form =
        try map.take("as")?.choice(["number": Form.number, "text": .text, "bytes": .bytes])
        ?? (size > 16 ? .bytes : .number)
      if form == .number, size > 16 { throw body.error("a number has at most 16 bytes") }
    }
    isUser = try map.take("user")?.flag() ?? false
    alignmentCheck = try map.take("ac")?.flag() ?? false
    isImplicit = try map.take("implicit")?.flag() ?? false
    handlesExceptions = try map.take("handle-ve")?.flag() ?? false
    vcpu = try map.vcpu(vcpus)
    try map.finish()
  }
}
