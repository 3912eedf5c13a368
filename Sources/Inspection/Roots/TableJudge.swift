import GuestImage
import Paging

/// Judges whether pages can be tables of a level, each page at most once a level.
///
/// A page that is no table fails soon: its words point outside the image, or to pages that are no
/// tables one level down. The work is bounded by pages × levels × entries, whatever they hold.
struct TableJudge {
  let image: GuestImage
  let pages: PageIndex
  /// By level, then by page: how many pages are mapped below; `unknown` or `refused`.
  private var wide: [[Int32]]
  private var narrow: [Int32]

  private static var unknown: Int32 { -1 }
  private static var refused: Int32 { -2 }
  /// Address bits no machine that is imaged has; entries that use them are data.
  private static var absurdAddress: UInt64 { 0x000F_C000_0000_0000 }
  static var addressMask: UInt64 { 0x000F_FFFF_FFFF_F000 }

  init(_ image: GuestImage, _ pages: PageIndex) {
    self.image = image
    self.pages = pages
    let fresh = [Int32](repeating: Self.unknown, count: pages.count)
    wide = Array(repeating: fresh, count: 6)
    narrow = fresh
  }

  /// The 8-byte entry of a page.
  func entry(_ page: UInt64, _ index: Int) -> UInt64 {
    guard case .success(let entry) = image.load(GPA(page &+ UInt64(index) &* 8), as: UInt64.self)
    else { return 0 }
    return entry
  }

  /// The 4-byte entry of a page.
  func narrowEntry(_ page: UInt64, _ index: Int) -> UInt32 {
    guard case .success(let entry) = image.load(GPA(page &+ UInt64(index) &* 4), as: UInt32.self)
    else { return 0 }
    return entry
  }

  /// How many pages a table of 8-byte entries maps, or `nil` where the page is no table of the level.
  mutating func mappings(of address: UInt64, at level: Int) -> Int? {
    // Page 0 is no table: small odd numbers would all point to it.
    guard address >= 0x1000 else { return nil }
    guard let page = pages.number(of: address) else {
      return image.holds(GPA(address)) && image.holds(GPA(address &+ 0xFFF)) ? 0 : nil
    }
    let known = wide[level][page]
    if known != Self.unknown { return known == Self.refused ? nil : Int(known) }
    let answer = judge(address, at: level)
    wide[level][page] = answer.map { Int32(clamping: $0) } ?? Self.refused
    return answer
  }

  private mutating func judge(_ address: UInt64, at level: Int) -> Int? {
    var mapped = 0
    var (present, bad, junk) = (0, 0, 0)
    for index in 0..<512 {
      let entry = entry(address, index)
      if entry == 0 { continue }
      if entry & 1 == 0 {
        junk += 1
        continue
      }
      present += 1
      if entry & Self.absurdAddress != 0 {
        bad += 1
      } else if level == 1 {
        mapped += 1
      } else if entry & 0x80 != 0 {
        let reserved: UInt64 = level == 2 ? 0x1F_E000 : level == 3 ? 0x3FFF_E000 : ~0
        if entry & reserved == 0 { mapped += 1 } else { bad += 1 }
      } else if let below = mappings(of: entry & Self.addressMask, at: level - 1) {
        mapped = min(mapped + below, Int(Int32.max))
      } else {
        bad += 1
      }
      if bad > 4 + present / 8 { return nil }
    }
    // Upper tables hold hardly anything but entries; page tables also hold swapped pages.
    guard bad * 8 <= present, level == 1 || junk <= 8 * present else { return nil }
    return mapped
  }

  /// How many pages a table of 4-byte entries maps, or `nil`.
  mutating func narrowMappings(of address: UInt64) -> Int? {
    guard address >= 0x1000 else { return nil }
    guard let page = pages.number(of: address) else {
      return image.holds(GPA(address)) && image.holds(GPA(address &+ 0xFFF)) ? 0 : nil
    }
    let known = narrow[page]
    if known != Self.unknown { return known == Self.refused ? nil : Int(known) }
    var words = NarrowWords()
    for index in 0..<1024 { words.add(narrowEntry(address, index), at: index) }
    let isTable = words.canBeTable(mostFlags: 24, mostJunk: 960)
    narrow[page] = isTable ? Int32(words.present) : Self.refused
    return isTable ? words.present : nil
  }
}
