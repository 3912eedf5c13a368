/// How many memslot generations MMIO entries tell apart, and what becomes of entries when they wrap.
///
/// Anything but the default is for drills, which show what generations are for: with 3 bits the eighth
/// memslot change brings back the generation of entries that were made before the first.
@frozen
public struct MMIOGenerations: Sendable, Hashable {
  /// The bits in use, from the lowest; at most those that the layout has. **Units** bits.
  public var bits: Int
  /// Whether all entries go when the generations wrap (SPEC T2).
  public var zapsAtWrap: Bool

  /// All bits of the layout, and no entry outlives a wrap.
  @inlinable
  public init(bits: Int = 19, zapsAtWrap: Bool = true) {
    self.bits = max(1, min(bits, 63))
    self.zapsAtWrap = zapsAtWrap
  }
}
