public import Paging

/// Writes guest memory from outside, as another device or a debugger would.
public struct PokeAction: Sendable {
  /// Where.
  public var gpa: GPA
  /// What.
  public var bytes: [UInt8]
}

extension PokeAction {
  init(_ body: YAMLValue) throws(ScenarioError) {
    var map = try body.mapping("poke")
    gpa = GPA(try map.need("gpa").number(0...(1 << 52) - 1))
    if let text = map.take("text") {
      bytes = Array(try text.string().utf8)
    } else if let hex = map.take("bytes") {
      bytes = try Self.bytes(hex)
    } else {
      let size = try map.take("size")?.number(1...16).asInt ?? 8
      let value = try map.need("value").wideNumber()
      guard size == 16 || value >> UInt128(size * 8) == 0 else {
        throw body.error("the value does not fit \(size) bytes")
      }
      bytes = (0..<size).map { UInt8(truncatingIfNeeded: value >> UInt128($0 * 8)) }
    }
    try map.finish()
  }

  /// Pairs of hex digits.
  static func bytes(_ value: YAMLValue) throws(ScenarioError) -> [UInt8] {
    let digits = Array(try value.string().utf8.filter { $0 != UInt8(ascii: " ") })
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard index + 1 < digits.count,
        let byte = UInt8(
          String(decoding: digits[index...(index + 1)], as: UTF8.self), radix: 16),
        digits[index] != UInt8(ascii: "+")
      else { throw value.error("bytes are pairs of hex digits, such as f3aa48") }
      bytes.append(byte)
    }
    return bytes
  }
}
