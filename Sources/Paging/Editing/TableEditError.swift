/// Why a table cannot be edited.
public enum TableEditError: Error, Sendable, Hashable {
  /// The format has no page of this size.
  case noSuchPageSize(PageSize)
  /// An address or a length is no multiple of the page size.
  case misaligned(UInt64, PageSize)
  /// The walk ends before any table is read: the address is not canonical, or a PDPTE register is not
  /// present.
  case unreachable(UInt64, FaultCause)
  /// A table entry cannot be read or written.
  case unreadable(entry: UInt64)
  /// A larger page, or a malformed entry, is in the way.
  case blocked(address: UInt64, level: Level)
  /// No page is left for a table.
  case noTablePages
}

extension TableEditError: CustomStringConvertible {
  /// One line.
  public var description: String {
    func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
    switch self {
    case .noSuchPageSize(let size): return "the paging mode has no pages of \(size)"
    case .misaligned(let value, let size): return "\(hex(value)) is not a multiple of \(size)"
    case .unreachable(let address, let cause):
      return "\(hex(address)) cannot be mapped: \(cause)"
    case .unreadable(let entry): return "the table entry at \(hex(entry)) is in no memory"
    case .blocked(let address, let level):
      return "\(hex(address)) is mapped already by an entry of level \(level)"
    case .noTablePages: return "no page is left for a table"
    }
  }
}
