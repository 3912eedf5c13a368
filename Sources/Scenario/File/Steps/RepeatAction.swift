import Paging

/// The same access again and again.
public struct RepeatAction: Sendable {
  /// How addresses follow each other.
  public enum Pattern: Sendable, Hashable {
    /// Upwards by the access's size.
    case sequential
    /// By a seeded generator, aligned to the access's size.
    case random(seed: UInt64)
  }

  /// How often.
  public var count: Int
  /// Which addresses.
  public var pattern: Pattern
  /// Between these, the end exclusive.
  public var range: Range<UInt64>
  /// What is done; the address is replaced.
  public var access: AccessAction

  /// The most accesses one step does.
  public static var largestCount: UInt64 { 100_000_000 }
}

extension RepeatAction {
  init(_ body: YAMLValue, vcpus: VCPURange) throws(ScenarioError) {
    var map = try body.mapping("repeat")
    count = try map.need("count").number(1...Self.largestCount).asInt
    let seed = try map.take("seed")?.number() ?? 1
    pattern =
      try map.take("pattern")?.choice([
        "sequential": Pattern.sequential, "random": .random(seed: seed),
      ]) ?? .sequential
    let bounds = try map.need("range").list()
    guard bounds.count == 2 else { throw body.error("a range is two addresses: [first, end]") }
    let (low, high) = (try bounds[0].number(), try bounds[1].number())
    var inner = try map.need("access").mapping("repeated-access")
    let (name, value) = try inner.needOne(of: ["read", "write", "fetch"], "the access")
    try inner.finish()
    let kind: AccessKind = name == "read" ? .read : name == "write" ? .write : .fetch
    var parts = try value.mapping("repeated-\(name)")
    access = try AccessAction(kind, GVA(low), &parts, value, vcpus: vcpus)
    guard access.size <= 16 else { throw body.error("an access has at most 16 bytes") }
    guard low < high, high - low >= UInt64(access.size) else {
      throw body.error("the range is empty, or smaller than the access")
    }
    range = low..<high
    try map.finish()
  }
}
