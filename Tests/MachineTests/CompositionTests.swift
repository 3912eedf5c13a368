import MMU
import Machine
import Paging
import Testing
import X86
import X86EPT
import X86Guest

@Suite("Composing by guest addresses alone")
struct CompositionTests {
  private let ept = EPTCapabilities(physicalAddressWidth: 40)

  @Test("slots get host memory apart from one another and from tables, aligned as their backing")
  func placement() throws {
    let (memory, tables) = try GuestMemoryLayout(
      tablePages: 10, .ram(at: 0x1000, byteCount: 0x3000, backing: .size4KiB),
      .ram(at: 0x4020_0000, byteCount: 4 << 20, backing: .size2MiB),
      .readOnly(at: 0x8000, byteCount: 0x1000), .unbacked(at: 0x10_0000, byteCount: 0x1000)
    ).make()
    let slots = (0..<4).compactMap { memory.slots[id: $0] }
    try #require(slots.count == 4)
    #expect(slots[0].host == HPA(11 << 12))
    #expect(slots[1].host?.offset(in: .size2MiB) == 0)
    #expect(slots[1].largestLevel(for: GFN(0x4_0200), upTo: .directoryPointer) == .directory)
    #expect(slots[2].flags == .readOnly && slots[3].host == nil)
    var ends: [(UInt64, UInt64)] = [(0, 11 << 12)]
    for slot in slots {
      if let host = slot.host {
        ends.append((host.rawValue, host.rawValue + slot.frameCount << 12))
      }
    }
    ends.sort { $0.0 < $1.0 }
    for (lower, upper) in zip(ends, ends.dropFirst()) { #expect(lower.1 <= upper.0) }
    #expect(ends.last?.1 == memory.host.byteCount)
    #expect(tables.limit == 10 && tables.first == PFN(1))
  }

  @Test(
    "what cannot be is one error",
    arguments: [
      (GuestMemoryLayout(.ram(at: 8, byteCount: 4096)), "a slot of 4096 bytes at 0x8"),
      (GuestMemoryLayout(.ram(byteCount: 100)), "a slot of 100 bytes at 0x0"),
      (
        GuestMemoryLayout(.ram(byteCount: 8192), .ram(at: 4096, byteCount: 4096)),
        "memslot 1 overlaps memslot 0"
      ),
      (GuestMemoryLayout(.ram(byteCount: 0)), "a memslot of 0 frames"),
      (GuestMemoryLayout(.ram(byteCount: 1 << 50)), "passes the 40 address bits of encoder ept"),
      (GuestMemoryLayout(.ram(at: ~0xFFF, byteCount: 8192)), "passes the 40 address bits"),
      (GuestMemoryLayout(tablePages: 0), "the limit of 0 table pages"),
      (GuestMemoryLayout(tablePages: .max), "the slots need more than"),
      (
        GuestMemoryLayout(.ram(byteCount: 1 << 39), .ram(at: 1 << 39, byteCount: 1 << 39)),
        "bytes of host memory pass the 40 address bits of encoder ept"
      ),
    ])
  func refusals(layout: GuestMemoryLayout, says: String) throws {
    #expect {
      try TDPMMU(encoder: EPTEncoder(ept), memory: layout)
    } throws: {
      $0 is CompositionError && "\($0)".contains(says)
    }
  }

  @Test(
    "the least registers of a mode select it",
    arguments: X86Mode.allCases)
  func modes(mode: X86Mode) { #expect(X86Registers(mode, cr3: 0x1000).mode == mode) }

  @Test("a wrapper does what its base does, and sees every exit")
  func wrapper() throws {
    struct Plain<Base: VirtualMMU>: MMUWrapper { let base: Base }
    let guest = X86Processor(
      X86Registers(.long4, cr3: 0x1000), X86Features(physicalAddressWidth: 40))
    func run(_ machine: Machine<X86Processor, some VirtualMMU, NoObserver>) throws -> [String] {
      var tables = GPA(0x2000)
      try machine.mapGuest(GVA(0x40_0000), to: GPA(0x20_0000), length: 8192, tables: &tables)
      #expect(tables == GPA(0x5000))
      let reports = [
        machine.vcpu(0, access: .write, at: GVA(0x40_0FFC), size: 8, value: 0x1122_3344_5566_7788),
        machine.vcpu(0, access: .read, at: GVA(0x40_0FFC), size: 8),
        machine.vcpu(0, access: .read, at: GVA(0x50_0000), size: 8),
      ]
      return reports.map { "\($0.outcome) \($0.exits.total)" }
        + ["\(machine.counters)", "\(machine.mmu.tablePages)"]
    }
    let layout = GuestMemoryLayout(.ram(byteCount: 4 << 20))
    let plain = try run(
      try Machine(guests: [guest], mmu: TDPMMU(encoder: EPTEncoder(ept), memory: layout)))
    let wrapped = try run(
      try Machine(
        guests: [guest], mmu: Plain(base: try TDPMMU(encoder: EPTEncoder(ept), memory: layout))))
    #expect(plain == wrapped)
    #expect(plain[1].hasPrefix("done(\(0x1122_3344_5566_7788)) 0"))
  }

  @Test("fields of an encoder's own are checked with the others (SPEC E17)")
  func ownFields() throws {
    let base = try EPTEncoder(ept)
    func adding(_ bits: ClosedRange<Int>...) throws -> SPTELayout {
      try base.layout.adding(
        bits.map {
          SPTEField(.own, in: .leaf, BitField("mine \($0)", $0, "mine", source: "software"))
        },
        name: "mine", legality: base.format)
    }
    let layout = try adding(59...59, 62...62)
    #expect(layout.fields.count { $0.role == .own } == 2)
    #expect(layout.mmio == base.layout.mmio && layout.masks == base.layout.masks)
    for bits in [57...57, 58...59, 12...12, 0...0] {
      #expect(throws: LayoutError.self) { try adding(bits) }
    }
    #expect(throws: LayoutError.self) { try adding(59...60, 60...61) }
  }

  @Test("policies stack on every question (SPEC H4)")
  func stacking() {
    struct Fixed: MMUPolicy {
      let number: Int
      func prefetchWindow(for fault: FaultInfo, standard: Int) -> Int { number }
      func floodThreshold(gfn: GFN, standard: Int) -> Int { number }
      func nxRecovery(splitCount: Int, standard: Int) -> Int { number }
      func zapChoice(among candidates: [ZapCandidate]) -> Int? { number }
    }
    let fault = FaultInfo(
      gpa: GPA(0), gva: nil, kind: .read, isUser: false, hasSlot: true, largestLevel: .pageTable,
      vcpu: 0)
    let stack = PolicyStack([Fixed(number: 4), Fixed(number: 2), DefaultPolicy()])
    #expect(stack.prefetchWindow(for: fault, standard: 8) == 2)
    #expect(stack.floodThreshold(gfn: GFN(0), standard: 3) == 2)
    #expect(stack.nxRecovery(splitCount: 9, standard: 5) == 2)
    #expect(stack.zapChoice(among: []) == 2)
    #expect(PolicyStack([]).prefetchWindow(for: fault, standard: 8) == 8)
    #expect(DefaultPolicy().zapChoice(among: []) == nil)
  }
}
