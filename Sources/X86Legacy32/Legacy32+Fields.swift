public import Paging
import X86

extension Legacy32 {
  /// The layout of an entry at a level; a PDE with PS maps 4 MiB where CR4.PSE is on.
  public func fields(of entry: UInt32, at level: Level) -> [BitField] {
    typealias Fields = X86EntryFields
    if entry & 1 == 0 {
      return [Fields.present, Fields.available(1...31)]
    }
    if level.rawValue == 1 {
      return Fields.common + [
        Fields.dirty, Fields.memoryTypeIndex(7), Fields.global, Fields.available(9...11),
        Fields.page(12...31),
      ]
    }
    if kind(of: entry, at: level) == .table {
      return Fields.common + [
        Fields.available(6...6), Fields.pageSize, Fields.available(8...11), Fields.table(12...31),
      ]
    }
    return Fields.common + [
      Fields.dirty, Fields.pageSize, Fields.global, Fields.available(9...11),
      Fields.memoryTypeIndex(12),
      BitField(
        "PAGE-HIGH", 13...20, "address bits 39:32 with PSE-36", source: Fields.source),
      Fields.reserved(21...21), Fields.page(22...31),
    ]
  }
}
