import MMU
import MachineSupport
import Paging
import TestSupport
import Testing

@Suite("Memslots")
struct MemslotTests {
  static func slot(_ id: Int, _ base: UInt64, _ frames: UInt64) -> Memslot {
    Memslot(id: id, base: GFN(base), frameCount: frames, host: HPA(base << 12))
  }

  static func error(
    _ body: () throws(MemslotError) -> MemslotTable
  ) -> MemslotError? {
    do throws(MemslotError) {
      _ = try body()
      return nil
    } catch {
      return error
    }
  }

  @Test("T8 an overlap of any kind is refused and names both slots")
  func overlap() throws {
    let table = try MemslotTable.empty.adding(Self.slot(1, 100, 10))
    for (base, frames) in [(100, 10), (99, 2), (109, 1), (105, 2), (90, 100), (100, 1)] {
      #expect(
        Self.error { () throws(MemslotError) in
          try table.adding(Self.slot(2, UInt64(base), UInt64(frames)))
        } == .overlap(id: 2, other: 1))
    }
    #expect(try table.adding(Self.slot(2, 110, 5)).adding(Self.slot(3, 99, 1)).slots.count == 3)
  }

  @Test("T8 slots that cannot be are refused")
  func refusals() throws {
    let table = try MemslotTable.empty.adding(Self.slot(1, 0, 1))
    let cases: [(Memslot, MemslotError)] = [
      (Self.slot(2, 5, 0), .badSize(frames: 0)),
      (Self.slot(2, 5, .max), .badSize(frames: .max)),
      (Self.slot(2, 1 << 40, 1), .outside(base: GFN(1 << 40))),
      (Self.slot(2, .max, 1), .outside(base: GFN(.max))),
      (Self.slot(1, 5, 1), .duplicate(id: 1)),
      (
        Memslot(id: 2, base: GFN(5), frameCount: 1, host: HPA(0x1234)),
        .unaligned(host: HPA(0x1234))
      ),
    ]
    for (slot, expected) in cases {
      #expect(Self.error { () throws(MemslotError) in try table.adding(slot) } == expected)
    }
    #expect(
      Self.error { () throws(MemslotError) in try table.removing(id: 9) } == .unknown(id: 9))
    #expect(try MemslotTable.empty.adding(Self.slot(1, (1 << 40) - 1, 1)).slots.count == 1)
  }

  @Test("T8 32,768 slots, and not one more")
  func capacity() throws {
    let slots = (0..<32_768).map { Self.slot($0, UInt64($0) * 3, 2) }
    let table = try MemslotTable(slots.shuffled())
    #expect(table.slots == slots)
    var hint = 0
    for gfn in [0, 1, 2, 3, 98_301, 98_302, 98_303, 98_304] as [UInt64] {
      let found = table.slot(for: GFN(gfn), hint: &hint)
      #expect(found?.id == (gfn % 3 < 2 && gfn < 98_304 ? Int(gfn / 3) : nil))
    }
    #expect(
      Self.error { () throws(MemslotError) in try table.adding(Self.slot(40_000, 1 << 30, 1)) }
        == .tooMany)
    #expect(
      Self.error { () throws(MemslotError) in
        try MemslotTable(slots + [Self.slot(40_000, 1 << 30, 1)])
      } == .tooMany)
    #expect(
      Self.error { () throws(MemslotError) in
        try MemslotTable([Self.slot(1, 0, 10), Self.slot(2, 9, 1)])
      } == .overlap(id: 2, other: 1))
    #expect(
      Self.error { () throws(MemslotError) in
        try MemslotTable([Self.slot(1, 0, 1), Self.slot(1, 9, 1)])
      } == .duplicate(id: 1))
  }

  @Test("T8 look-ups agree with a linear scan, whatever the hint")
  func lookUp() throws {
    var random = SeededGenerator(seed: 8)
    for _ in 0..<50 {
      var table = MemslotTable.empty
      for id in 0..<random.below(40) {
        let slot = Self.slot(id, UInt64(random.below(500)), UInt64(1 + random.below(20)))
        let overlaps = table.slots.contains { $0.base < slot.end && slot.base < $0.end }
        if let next = try? table.adding(slot) {
          #expect(!overlaps)
          table = next
        } else {
          #expect(overlaps)
        }
        if random.oneIn(8), let gone = table.slots.randomElement(using: &random) {
          table = try table.removing(id: gone.id)
          #expect(table[id: gone.id] == nil)
        }
      }
      #expect(table.slots == table.slots.sorted { $0.base < $1.base })
      var hint = random.below(1000)
      for _ in 0..<300 {
        let gfn = GFN(UInt64(random.below(600)))
        let linear = table.slots.first { $0.contains(gfn) }
        #expect(table.slot(for: gfn, hint: &hint) == linear)
      }
    }
  }

  @Test("F11 the level of a page follows slot, alignment, backing, and dirty logging")
  func largestLevel() {
    func level(
      _ gfn: UInt64, base: UInt64 = 0, frames: UInt64 = 1 << 20, host: UInt64 = 0,
      flags: Memslot.Flags = [], backing: PageSize = .size1GiB, limit: Int = 3
    ) -> Int {
      Memslot(
        id: 0, base: GFN(base), frameCount: frames, host: HPA(host << 12), flags: flags,
        backing: backing
      ).largestLevel(for: GFN(gfn), upTo: Level(limit)).rawValue
    }
    #expect(level(5) == 3)
    #expect(level(5, limit: 2) == 2)
    #expect(level(5, limit: 1) == 1)
    #expect(level(5, backing: .size2MiB) == 2)
    #expect(level(5, backing: .size4KiB) == 1)
    #expect(level(5, frames: 1 << 18) == 3)
    #expect(level(5, frames: (1 << 18) - 1) == 2)
    #expect(level(5, frames: 511) == 1)
    #expect(level(600, frames: 1023) == 1, "the page would pass the slot's end")
    #expect(level(5, base: 1, host: 1) == 1, "the page would begin before the slot")
    #expect(level(513, base: 1, host: 1) == 2)
    #expect(level(5, host: 512) == 2, "guest and host are aligned alike to 2 MiB alone")
    #expect(level(5, host: 1) == 1)
    #expect(level(5, flags: .readOnly) == 3)
    #expect(level(5, flags: .logsDirtyPages) == 1)
    let unbacked = Memslot(id: 0, base: GFN(0), frameCount: 1 << 20, host: nil)
    #expect(unbacked.largestLevel(for: GFN(5), upTo: Level(3)).rawValue == 1)
  }

  @Test("F2 a failed change moves the generation on and changes nothing else")
  func failedChange() throws {
    let memory = GuestMemory(host: try HostMemory(byteCount: 1 << 20), generation: 7)
    try memory.update { table throws(MemslotError) in try table.adding(Self.slot(1, 0, 4)) }
    #expect(memory.generation == 8)
    #expect(throws: MemslotError.duplicate(id: 1)) {
      try memory.update { table throws(MemslotError) in try table.adding(Self.slot(1, 9, 4)) }
    }
    #expect(memory.generation == 9)
    #expect(memory.slots.slots.map(\.id) == [1])
  }
}
