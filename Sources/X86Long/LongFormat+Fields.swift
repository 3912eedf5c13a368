public import Paging
import X86

extension LongFormat {
  /// The layout of an entry at a level.
  public func fields(of entry: UInt64, at level: Level) -> [BitField] {
    typealias Fields = X86EntryFields
    if entry & 1 == 0 { return [Fields.present, Fields.available(1...63)] }
    let leafHigh = [Fields.available(52...58), Fields.protectionKey, Fields.executeDisable]
    if level.rawValue == 1 {
      return Fields.common + [
        Fields.dirty, Fields.memoryTypeIndex(7), Fields.global, Fields.available(9...11),
        Fields.page(12...51),
      ] + leafHigh
    }
    if entry & 0x80 == 0 || level.rawValue > 3 {
      let seven = level.rawValue > 3 ? Fields.reserved(7...7) : Fields.pageSize
      return Fields.common + [
        Fields.available(6...6), seven, Fields.available(8...11), Fields.table(12...51),
        Fields.available(52...62), Fields.executeDisable,
      ]
    }
    let shift = level.rawValue == 2 ? 21 : 30
    return Fields.common + [
      Fields.dirty, Fields.pageSize, Fields.global, Fields.available(9...11),
      Fields.memoryTypeIndex(12), Fields.reserved(13...(shift - 1)), Fields.page(shift...51),
    ] + leafHigh
  }
}
