/// A table's geometry.
@frozen
public struct TableShape: Sendable, Hashable {
  /// An entry covers 2^`entryShift` bytes.
  public let entryShift: Int
  /// **Units** entries.
  public let count: Int

  /// A geometry.
  @inlinable
  public init(entryShift: Int, count: Int) {
    self.entryShift = entryShift
    self.count = count
  }

  /// What an entry covers.
  @inlinable
  public var entrySize: PageSize { PageSize(shift: entryShift) }
  /// What the table covers.
  @inlinable
  public var size: PageSize { PageSize(shift: entryShift + count.trailingZeroBitCount) }
}
