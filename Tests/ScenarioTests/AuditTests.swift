import MMU
import Machine
import Paging
import Testing
import X86
import X86EPT
import X86Guest

@Suite("Audit of the TDP MMU")
struct AuditTests {
  private typealias TestMachine = Machine<
    X86Processor, TDPMMU<EPTEncoder, DefaultPolicy>, NoObserver
  >

  /// A machine with paging off and 1 MiB, whose first pages have been touched. Tables lie from page 1.
  private func makeMachine() throws -> TestMachine {
    let memory = GuestMemory(host: try HostMemory(byteCount: 2 << 20))
    let slot = Memslot(id: 0, base: GFN(0), frameCount: 256, host: HPA(1 << 20))
    try memory.update { table throws(MemslotError) in try table.adding(slot) }
    let mmu = try TDPMMU(
      encoder: EPTEncoder(EPTCapabilities(physicalAddressWidth: 40), mmio: .ept),
      policy: DefaultPolicy(), memory: memory, pool: TablePool(first: PFN(1), limit: 64))
    let machine = try TestMachine(
      guests: [X86Processor(X86Registers(cr0: .protectionEnable), X86Features())], mmu: mmu)
    for page in 0..<4 as Range<UInt64> {
      let report = machine.vcpu(0, access: .write, at: GVA(page << 12), size: 8, value: 1)
      guard case .done = report.outcome else { throw TestFailure() }
    }
    return machine
  }

  private struct TestFailure: Error {}

  @Test("F18 tables that faults made have no breaches")
  func soundTables() throws {
    let machine = try makeMachine()
    #expect(machine.mmu.audit().isEmpty)
    machine.mmu.invalidateAll()
    #expect(machine.mmu.audit().isEmpty)
  }

  /// An entry of a table, by the page of the table and the index, what is put there, and what is
  /// found. Page 1 is the root, page 2 the vCPU's spare, page 5 the last
  /// level.
  private static let damages: [(page: UInt64, index: UInt64, bits: UInt64, says: String)] = [
    (5, 0, 1 << 12, "leads elsewhere than slot 0"),
    (5, 0, 1 << 21, "leads elsewhere than slot 0"),
    (5, 2, 1 << 11, "neither present, MMIO nor the non-present value"),
    (5, 3, 1, "a leaf that hardware does not walk"),
    (1, 0, 1 << 7, "that hardware does not walk"),
  ]

  @Test("F18 a bit that is wrong in an entry is found", arguments: damages)
  func damagedEntry(page: UInt64, index: UInt64, bits: UInt64, says: String) throws {
    let machine = try makeMachine()
    let place = HPA(page << 12 + index * 8)
    let host = machine.memory.host.view
    let old = try host.load(place, as: UInt64.self).get()
    _ = host.swap(place, to: old ^ bits)
    #expect(machine.mmu.audit().contains { $0.contains(says) }, "\(machine.mmu.audit())")
    _ = host.swap(place, to: old)
    #expect(machine.mmu.audit().isEmpty)
  }

  @Test("F18 a table that is linked twice, lost, or outside memory is found")
  func damagedLinks() throws {
    let machine = try makeMachine()
    let host = machine.memory.host.view
    let first = HPA(1 << 12)
    let entry = try host.load(first, as: UInt64.self).get()
    let second = HPA(1 << 12 + 8)
    let old = try host.swap(second, to: entry).get()
    #expect(machine.mmu.audit().contains { $0.contains("linked twice") })
    _ = host.swap(second, to: old)
    _ = host.swap(first, to: old)
    #expect(machine.mmu.audit() == ["4 table pages in use, 1 reachable from roots"])
    _ = host.swap(first, to: entry | 1 << 30)
    #expect(machine.mmu.audit().contains { $0.contains("neither present") })
    _ = host.swap(first, to: entry)
  }

  @Test("F18 a leaf without its memslot, or writable in a read-only one, is found")
  func damagedSlots() throws {
    let machine = try makeMachine()
    // No invalidation: the tables stay as they were.
    try machine.memory.update { table throws(MemslotError) in
      guard var slot = table[id: 0] else { throw .unknown(id: 0) }
      slot.flags = .readOnly
      return try table.removing(id: 0).adding(slot)
    }
    #expect(machine.mmu.audit().count == 4)
    #expect(machine.mmu.audit().first?.contains("host-writable in a read-only slot") == true)
    try machine.memory.update { table throws(MemslotError) in try table.removing(id: 0) }
    #expect(machine.mmu.audit().first?.contains("no slot holds it") == true)
  }
}
