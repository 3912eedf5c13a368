import Paging
package import TestSupport
package import X86

/// The tables of a small guest that writes them at random: which pages are tables of which level, and
/// what a hostile guest might write into them.
///
/// All of it lies in 2 MiB of guest memory from 0: tables from 1 MiB on, reached by the guest through
/// a window whose own tables are never written. Data is from 2 MiB to 4 MiB, and a slot that comes and
/// goes from 4 MiB on.
package struct GuestWorld {
  package let mode: X86Mode
  /// Pages by number; page n is at 1 MiB + n × 4 KiB.
  package let roots = [0, 5, 6]
  package let tables: [Int: [Int]]
  package let window: UInt64
  package let addresses: [UInt64]
  package static let base: UInt64 = 0x10_0000
  /// Where the slot of 16 KiB is that comes and goes.
  package static let extraSlot: UInt64 = 0x40_0000
  /// The pages of the window, in which the guest sees its tables.
  static let windowPages: UInt64 = 32

  package init(_ mode: X86Mode) {
    self.mode = mode
    switch mode {
    case .long5: tables = [4: [15, 16], 3: [1, 2], 2: [3, 4, 7], 1: [8, 9, 10, 11]]
    case .long4: tables = [3: [1, 2], 2: [3, 4, 7], 1: [8, 9, 10, 11]]
    case .pae: tables = [2: [1, 2, 3, 7], 1: [8, 9, 10, 11]]
    case .legacy32, .none: tables = [1: [8, 9, 10, 11]]
    }
    switch mode {
    case .long5: window = 1 << 48
    case .long4: window = 1 << 39
    case .pae, .legacy32, .none: window = 0xC000_0000
    }
    let large: UInt64 = mode == .legacy32 ? 1 << 22 : 1 << 21
    let indices: [UInt64] = mode == .legacy32 ? [0, 1, 7, 511, 512, 513] : [0, 1, 2, 7, 8, 9]
    var addresses: [UInt64] = []
    for directory in 0..<2 as Range<UInt64> {
      for index in indices { addresses.append(directory * large + index << 12) }
    }
    // Places where a large page holds tables and data.
    addresses += [0x10_8000, 0x10_9000, large + 0x10_3000, 2 * large, 2 * large + 0x10_8000]
    self.addresses = addresses
  }

  /// The first addresses of all pages that the guest uses.
  package var usedPages: [UInt64] {
    addresses.map { $0 & ~0xFFF } + (0..<Self.windowPages).map { window + $0 << 12 }
  }

  package static func page(_ number: Int) -> UInt64 { base + UInt64(number) << 12 }

  /// The level of a root's entries in memory.
  package var top: Int {
    switch mode {
    case .none: 0
    case .legacy32: 2
    case .pae: 3
    case .long4: 4
    case .long5: 5
    }
  }

  package var entrySize: Int { mode == .legacy32 ? 4 : 8 }

  package func pages(at level: Int) -> [Int] { level == top ? roots : tables[level] ?? [] }

  package func index(of gva: UInt64, at level: Int) -> UInt64 {
    mode == .legacy32
      ? gva >> (level == 2 ? 22 : 12) & 1023 : gva >> UInt64(3 + 9 * level) & 511
  }

  /// An entry that some address uses, and something to write there.
  package func randomWrite(_ random: inout SeededGenerator) -> (gpa: UInt64, value: UInt64) {
    let level = random.oneIn(3) ? 1 + random.below(top) : 1
    let page = random.pick(pages(at: level))
    let index = index(of: random.pick(addresses), at: level)
    return (Self.page(page) + index * UInt64(entrySize), entry(at: level, &random))
  }

  package func entry(at level: Int, _ random: inout SeededGenerator) -> UInt64 {
    if mode == .pae, level == 3 { return Self.page(random.pick(pages(at: 2))) | 1 }
    // Tables are mostly generous, so that walks arrive and leaves decide.
    let rarity: UInt64 = level > 1 ? 5 : 1
    var flags: UInt64 = random.oneIn(8 * rarity) ? 0 : 1
    if !random.oneIn(4 * rarity) { flags |= 2 }
    if !random.oneIn(3 * rarity) { flags |= 4 }
    if random.flip() { flags |= 0x20 }
    if random.flip() { flags |= 0x40 }
    if mode != .legacy32 {
      if random.oneIn(6 * rarity) { flags |= 1 << 63 }
      if random.oneIn(40 * rarity) { flags |= 1 << 50 }
    }
    if level > 1 {
      if level == 2, random.oneIn(4) {
        let size: UInt64 = mode == .legacy32 ? 4 << 20 : 2 << 20
        let first: UInt64 = size == 4 << 20 ? 0 : random.pick([0, 2 << 20])
        return flags | 0x80 | first
      }
      let below = random.oneIn(12) ? random.pick([1, 2]) : level - 1
      let choice = pages(at: below).isEmpty ? pages(at: level - 1) : pages(at: below)
      return flags | Self.page(random.pick(choice))
    }
    switch random.below(16) {
    case 0: return flags | Self.page(random.pick(pages(at: 1)))
    case 1 where mode.rawValue.hasPrefix("long"):
      return flags | Self.page(random.pick(pages(at: 2)))
    case 2, 3: return flags | 0x40_0000 + UInt64(random.below(4)) << 12
    case 4: return flags | 0x4000_0000 + UInt64(random.below(2)) << 12
    default: return flags | 0x20_0000 + UInt64(random.below(12)) << 12
    }
  }

  /// The entries that make the window and let every root walk, as (address, value).
  package var fixed: [(UInt64, UInt64)] {
    var writes: [(UInt64, UInt64)] = []
    func put(_ page: Int, _ index: UInt64, _ value: UInt64) {
      writes.append((Self.page(page) + index * UInt64(entrySize), value))
    }
    for number in 0..<Self.windowPages { put(14, number, Self.page(Int(number)) | 0x63) }
    for root in roots {
      switch mode {
      case .none: break
      case .legacy32: put(root, 768, Self.page(14) | 0x23)
      case .pae:
        for index in 0..<3 { put(root, UInt64(index), Self.page(1 + index) | 1) }
        put(root, 3, Self.page(4) | 1)
      case .long4: put(root, 1, Self.page(12) | 0x23)
      case .long5: put(root, 1, Self.page(44) | 0x23)
      }
    }
    if mode == .pae { put(4, 0, Self.page(14) | 0x23) }
    if mode == .long5 { put(44, 0, Self.page(12) | 0x23) }
    if mode == .long4 || mode == .long5 {
      put(12, 0, Self.page(13) | 0x23)
      put(13, 0, Self.page(14) | 0x23)
    }
    return writes
  }
}
