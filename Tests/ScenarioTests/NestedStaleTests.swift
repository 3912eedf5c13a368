import Paging
import Scenario
import Testing

@Suite("Stale translations of guests inside the guest")
struct NestedStaleTests {
  private static func findings(
    _ steps: String, mmu: String = "ept", pointer: String = "0x10005e"
  ) throws -> [StaleTranslation] {
    let text = """
      scenario: 1
      machine:
        guest: none
        mmu: \(mmu)
        maxphyaddr: 40
        stale-translations: true
        memory: [{gpa: 0x0, size: 16 MiB}]
        nested: {guest: long4, pointer: \(pointer), cr3: 0x1000}
      steps:
        - nested-map: {gpa: 0x0, to: 0x400000, size: 1 MiB, permissions: urwx, tables-at: 0x101000}
        - map: {va: 0x400000, gpa: 0x10000, size: 12 KiB, permissions: urw-, tables-at: 0x2000, nested: true}
        - write: {va: 0x400000, value: 1, user: true, nested: true}

      """
    let (results, summary) = try Scenarios.run(text + steps)
    #expect(summary.staleTranslations != nil)
    for result in results { #expect(result.isPassed, "\(result.number): \(result.mismatches)") }
    return results.flatMap(\.staleTranslations)
  }

  @Test("W16 F15 a store to the hypervisor's table is named until its INVEPT, which ends it")
  func secondLevel() throws {
    let found = try Self.findings(
      """
        - write: {va: 0x103080, value: 0x410335}
        - read: {va: 0x400000, user: true, nested: true}
          expect: {stale: hypervisor, tlb: hit}
        - invept: {pointer: 0x10005e}
        - read: {va: 0x400000, user: true, nested: true}
          expect: {stale: none, ok: true}
      """)
    let first = try #require(found.first)
    #expect(first.verdict == .hypervisor)
    #expect(first.difference == .rights)
    guard case .write(let write) = first.cause else {
      Issue.record("\(first)")
      return
    }
    #expect(write.gpa == GPA(0x10_3080) && write.after == 0x41_0335 && write.vcpu == 0)
    #expect(write.step == 4)
  }

  @Test("W16 F15 a table that the hypervisor moves under its guest is a store of the hypervisor's")
  func movedTable() throws {
    // The inner guest's leaf table is its page 4; the hypervisor puts another in its place.
    let found = try Self.findings(
      """
        - poke: {gpa: 0x420000, value: 0x8000000000012067, size: 8}
        - write: {va: 0x103020, value: 0x420337}
        - read: {va: 0x400000, user: true, nested: true}
          expect: {stale: hypervisor}
        - invept: {}
        - read: {va: 0x400000, user: true, nested: true}
          expect: {stale: none, gpa: 0x412000}
      """)
    #expect(found.map(\.difference) == [.frame])
    #expect(found.first?.new?.gpa == GPA(0x41_2000))
  }

  @Test(
    "W16 F15 a store to the inner guest's own table is its own to flush",
    arguments: [("ept", "0x10005e"), ("npt", "0x100000")])
  func firstLevel(mmu: String, pointer: String) throws {
    let found = try Self.findings(
      """
        - poke: {gpa: 0x404000, value: 0x8000000000011067, size: 8}
        - read: {va: 0x400000, user: true, nested: true}
          expect: {stale: guest, gpa: 0x410000}
      """, mmu: mmu, pointer: pointer)
    let first = try #require(found.first)
    #expect(first.verdict == .guest && first.difference == .frame)
    #expect(first.old.gpa == GPA(0x41_0000) && first.new?.gpa == GPA(0x41_1000))
    guard case .write(let write) = first.cause else {
      Issue.record("\(first)")
      return
    }
    #expect(write.gpa == GPA(0x40_4000) && write.vcpu == nil)
  }
}
