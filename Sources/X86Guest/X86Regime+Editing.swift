public import Paging
import X86

extension X86Regime {
  /// Maps a range in the tables of the selected mode; see `PageTableEditor.map`.
  ///
  /// - Throws: `TableEditError`; with paging off `.unreachable`.
  public func map<Memory: EntryMemory & ~Copyable>(
    _ address: GVA, to page: Address<Memory.Space>, length: UInt64, pageSize: PageSize,
    permissions: Permissions, in memory: borrowing Memory,
    takeTable: () -> Address<Memory.Space>?
  ) throws(TableEditError) {
    func edit<Format: EditableX86Format>(
      _ regime: FormatRegime<Format>, _ memory: borrowing Memory
    ) throws(TableEditError) {
      try PageTableEditor(regime.format, root: regime.root).map(
        address, to: page, length: length, pageSize: pageSize, permissions: permissions,
        for: X86Access.read, in: memory, takeTable: takeTable)
    }
    switch self {
    case .none: throw .unreachable(address.rawValue, .notPresent)
    case .legacy32(let regime): try edit(regime, memory)
    case .pae(let regime): try edit(regime, memory)
    case .long4(let regime): try edit(regime, memory)
    case .long5(let regime): try edit(regime, memory)
    }
  }
}
