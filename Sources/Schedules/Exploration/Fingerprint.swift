/// 128 bits that tell states of a race apart: a sum over their parts, so that a part can be replaced.
///
/// Among a million states the chance that two are taken for one is below 2⁻⁸⁸.
struct Fingerprint: Hashable {
  private var low: UInt64 = 0
  private var high: UInt64 = 0

  /// That of nothing.
  init() {}

  /// That of one part.
  init(part: UInt64, holding content: UInt64) {
    low = Self.mixed(Self.mixed(part ^ 0x9E37_79B9_7F4A_7C15) &+ content)
    high = Self.mixed(Self.mixed(part &+ 0xD1B5_4A32_D192_ED03) ^ content)
  }

  static func += (left: inout Fingerprint, right: Fingerprint) {
    left.low &+= right.low
    left.high &+= right.high
  }

  static func -= (left: inout Fingerprint, right: Fingerprint) {
    left.low &-= right.low
    left.high &-= right.high
  }

  /// **Source** Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators" (OOPSLA 2014).
  private static func mixed(_ value: UInt64) -> UInt64 {
    var word = value
    word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
    return word ^ word >> 31
  }
}
