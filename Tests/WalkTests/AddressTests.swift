import Paging
import TestSupport
import Testing

/// The laws of addresses, frames, sizes and levels.
@Suite("Addresses, frames, page sizes")
struct AddressTests {
  private static let pageSizes: [PageSize] = [.size4KiB, .size2MiB, .size4MiB, .size1GiB]

  /// Numbers at the edges and random ones.
  private static let numbers: [UInt64] = {
    var random = SeededGenerator(seed: 39)
    let edges: [UInt64] = [0, 1, 0xFFF, 0x1000, 0x1F_FFFF, 1 << 47, 1 << 52, .max - 0xFFF, .max]
    return edges + (0..<500).map { _ in random.next() >> (random.next() & 63) }
  }()

  @Test("an address is its page and its offset", arguments: pageSizes)
  func pageAndOffset(size: PageSize) {
    for number in Self.numbers {
      let address = GPA(number)
      let base = address.roundedDown(to: size)
      #expect(base.offset(in: size) == 0)
      #expect(address.offset(in: size) < size.bytes)
      #expect(base.adding(address.offset(in: size)) == address)
      #expect(base.roundedDown(to: size) == base)
      #expect(GPA(rawValue: address.rawValue) == address)
    }
  }

  @Test("rounding up is the least page start not below, or nil past 2^64", arguments: pageSizes)
  func roundedUp(size: PageSize) {
    for number in Self.numbers {
      let address = HPA(number)
      if let up = address.roundedUp(to: size) {
        #expect(up >= address && up.rawValue - number < size.bytes && up.offset(in: size) == 0)
      } else {
        #expect(number > ~size.offsetMask)
      }
    }
  }

  @Test("a frame's base has that frame; a frame below 2^52 comes back from its base")
  func frames() {
    for number in Self.numbers {
      let address = GPA(number)
      #expect(address.frame.baseAddress == address.roundedDown(to: .size4KiB))
      let frame = GFN(number & ((1 << 52) - 1))
      #expect(frame.baseAddress.frame == frame)
      #expect(PFN(number).baseAddress.rawValue == number &* 4096)
      #expect(GFN(rawValue: number).rawValue == number)
      for size in Self.pageSizes {
        #expect(address.frame.roundedDown(to: size) == address.roundedDown(to: size).frame)
      }
    }
  }

  @Test("moving up and back is nothing; the checked form is nil exactly where the sum wraps")
  func adding() {
    for (left, right) in zip(Self.numbers, Self.numbers.reversed()) {
      let sum = GVA(left).wrappingAdd(right)
      #expect(sum.wrappingAdd(0 &- right) == GVA(left))
      #expect(GVA(left).adding(right) == (sum.rawValue < left ? nil : sum))
      #expect(GFN(left).wrappingAdd(right).wrappingAdd(0 &- right) == GFN(left))
    }
  }

  @Test("orders and equality are those of the numbers")
  func order() {
    for (left, right) in zip(Self.numbers, Self.numbers.dropFirst()) {
      #expect((GPA(left) < GPA(right)) == (left < right))
      #expect((GFN(left) < GFN(right)) == (left < right))
      #expect((GPA(left) == GPA(right)) == (left == right))
    }
    #expect(Self.pageSizes.sorted() == Self.pageSizes)
    #expect((1...5).map { Level($0) } == (1...5).map { Level($0) }.sorted())
  }

  @Test("a size is 2^shift bytes and its mask one less", arguments: 12...63)
  func sizes(shift: Int) {
    let size = PageSize(shift: shift)
    #expect(size.bytes == 1 << UInt64(shift))
    #expect(size.offsetMask == size.bytes - 1)
    #expect(size.frames == size.bytes / 4096)
  }

  @Test("above and below are inverse", arguments: 1...5)
  func levels(number: Int) {
    let level = Level(rawValue: number)
    #expect(level.above.below == level && level.below.above == level)
    #expect(level.below < level && level < level.above)
    #expect(Level.pageTable.above == .directory && Level.directory.above == .directoryPointer)
  }

  @Test("descriptions are hex numbers and binary units")
  func descriptions() {
    #expect(GVA(0xFFFF_8000_0000_0000).description == "0xffff800000000000")
    #expect(GFN(16).description == "0x10")
    #expect(Self.pageSizes.map(\.description) == ["4 KiB", "2 MiB", "4 MiB", "1 GiB"])
    #expect(PageSize(shift: 63).description == "8 EiB")
    #expect(Level(3).description == "3")
    #expect(GuestVirtual.addressName + GuestPhysical.addressName == "GVAGPA")
    #expect(HostPhysical.addressName == "HPA")
  }
}
