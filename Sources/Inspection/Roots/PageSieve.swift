import GuestImage
import Paging

/// What a page could be the top of, told from its own words alone.
struct PageSieve: OptionSet, Sendable {
  let rawValue: UInt8

  /// PML4 or PML5: 8-byte entries that all point to pages of the image.
  static var wideTop: PageSieve { PageSieve(rawValue: 1) }
  /// A page directory of 4-byte entries.
  static var narrowTop: PageSieve { PageSieve(rawValue: 2) }
  /// Holds four words in a row that could be PAE's page-directory pointers.
  static var pointers: PageSieve { PageSieve(rawValue: 4) }

  /// Bits that a page-directory pointer has clear; bit 5 is let pass, since QEMU sets it.
  static var reservedInPointer: UInt64 { 0xFFF0_0000_0000_01C6 }

  init(rawValue: UInt8) { self.rawValue = rawValue }

  init(_ address: UInt64, _ image: GuestImage, _ pages: PageIndex) {
    self = []
    var (present, bad, junk) = (0, 0, 0)
    var isTop = true
    var words = NarrowWords()
    var narrowBad = 0
    var hasOdd = false
    for index in 0..<512 {
      guard
        case .success(let entry) = image.load(GPA(address &+ UInt64(index &* 8)), as: UInt64.self)
      else { return }
      if entry == 0 { continue }
      if isTop {
        if entry & 1 == 0 {
          junk += 1
        } else {
          present += 1
          let target = entry & TableJudge.addressMask
          if entry & 0x80 != 0 || target < 0x1000 || pages.number(of: target) == nil { bad += 1 }
        }
        if bad > 4 + present / 8 { isTop = false }
      }
      if !contains(.pointers), entry & 1 != 0, entry & Self.reservedInPointer == 0,
        pages.number(of: entry & TableJudge.addressMask) != nil
      {
        insert(.pointers)
      }
      if narrowBad <= 4 + words.present / 8 {
        for half in 0..<2 {
          let word = UInt32(truncatingIfNeeded: entry >> UInt64(half * 32))
          words.add(word, at: half)
          if word & 1 == 0 { continue }
          if half == 1 { hasOdd = true }
          let target = UInt64(word & 0xFFFF_F000)
          let isGood =
            word & 0x80 != 0
            ? word & 0x003F_E000 == 0 : target >= 0x1000 && pages.number(of: target) != nil
          if !isGood { narrowBad += 1 }
        }
      } else if !isTop, contains(.pointers) {
        return
      }
    }
    if isTop, present > 0, bad * 8 <= present, junk <= 8 * present { insert(.wideTop) }
    if words.present >= 4, hasOdd, narrowBad * 8 <= words.present,
      words.canBeTable(mostFlags: 8, mostJunk: words.present / 4 + 4)
    {
      insert(.narrowTop)
    }
  }
}
