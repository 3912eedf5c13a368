public import Paging
import X86

extension PAE {
  /// The layout of an entry at a level; level 3 is a PDPTE register.
  public func fields(of entry: UInt64, at level: Level) -> [BitField] {
    typealias Fields = X86EntryFields
    if entry & 1 == 0 { return [Fields.present, Fields.available(1...63)] }
    if level.rawValue == 3 {
      let caching = Fields.common.filter { $0.name == "PWT" || $0.name == "PCD" }
      return [Fields.present, Fields.reserved(1...2)] + caching + [
        Fields.reserved(5...8), Fields.available(9...11), Fields.table(12...51),
        Fields.reserved(52...63),
      ]
    }
    let high = [Fields.reserved(52...62), Fields.executeDisable]
    if level.rawValue == 1 {
      return Fields.common + [
        Fields.dirty, Fields.memoryTypeIndex(7), Fields.global, Fields.available(9...11),
        Fields.page(12...51),
      ] + high
    }
    if entry & 0x80 == 0 {
      return Fields.common + [
        Fields.available(6...6), Fields.pageSize, Fields.available(8...11), Fields.table(12...51),
      ] + high
    }
    return Fields.common + [
      Fields.dirty, Fields.pageSize, Fields.global, Fields.available(9...11),
      Fields.memoryTypeIndex(12), Fields.reserved(13...20), Fields.page(21...51),
    ] + high
  }
}
