/// What a hardware format makes of entries of which only some bits are known; asked when a layout is
/// composed.
public protocol EntryLegality {
  /// Whether some choice of the unknown bits makes a leaf that hardware would use.
  ///
  /// - Parameters:
  ///   - ones: bits known to be 1.
  ///   - zeros: bits known to be 0.
  func admitsUsableEntry(ones: UInt64, zeros: UInt64) -> Bool
}
