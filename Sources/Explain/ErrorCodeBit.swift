public import X86

/// One bit of a page fault's error code, with the reason for its value.
public struct ErrorCodeBit: Hashable, Sendable {
  /// The bit.
  public let bit: Int
  /// The manual's name of it.
  public let name: String
  /// Whether it is set.
  public let isSet: Bool
  /// Why.
  public let why: String
}

extension PageFaultErrorCode {
  /// The names of the bits that are set, such as `P W U`; `none` for 0.
  public var names: String {
    let all = ["P", "W", "U", "RSVD", "I", "PK", "SS"]
    let set = all.enumerated().filter { rawValue >> UInt32($0.offset) & 1 != 0 }.map(\.element)
    return set.isEmpty ? "none" : set.joined(separator: " ")
  }
}
