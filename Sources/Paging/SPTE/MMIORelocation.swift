/// Whether MMIO entries set high address bits, so that a processor with L1TF cannot read the cache
/// through them (SPEC E8).
@frozen
public enum MMIORelocation: Sendable, Hashable {
  /// Off.
  case none
  /// The top five of this many cacheable address bits are set; off where they reach bit 47 or more.
  case l1tf(cacheableWidth: Int)

  /// How many address bits are set.
  static var forcedBits: Int { 5 }

  /// All addresses, or those below the cacheable width.
  var holdableAddressMask: UInt64 {
    guard forcedMask != 0, case .l1tf(let width) = self else { return ~0xFFF }
    return ((1 << UInt64(width)) - 1) & ~0xFFF
  }

  var forcedMask: UInt64 {
    guard case .l1tf(let width) = self, (17..<47).contains(width) else { return 0 }
    return (((1 << UInt64(Self.forcedBits)) - 1) << UInt64(width - Self.forcedBits))
  }
}
