import MMU
import Machine
import Paging
import Scenario
import ShadowProperty
import SystemPackage
import Testing
import X86
import X86Guest

@Suite("Snapshots of shadow machines")
struct ShadowSnapshotTests {
  @Test(
    "F18 a random guest goes on from a restored snapshot as from the moment that it was taken",
    arguments: GuestCase.all)
  func randomGuest(guestCase: GuestCase) throws {
    let world = GuestWorld(guestCase.mode)
    let machine = try guestCase.makeMachine()
    var generator = GuestGenerator(world, vcpus: guestCase.vcpus, seed: 7)
    var trial = GuestTrial(world, on: machine)
    for operation in generator.beginning() { try trial.perform(operation) }
    for _ in 0..<100 { try trial.perform(generator.next(machine)) }
    func held() -> [UInt8] { machine.memory.view.read(GPA(0), count: 5 << 20) }
    let registers = (0..<guestCase.vcpus).map { machine.processor($0).registers }
    let slots = machine.memory.slots.slots.map(\.base)
    let memory = held()
    let saved = try machine.keep(tables: true).snapshot
    for _ in 0..<2 {
      for _ in 0..<100 { try trial.perform(generator.next(machine)) }
      #expect(held() != memory)
      try machine.putBack(saved)
      #expect(held() == memory)
      #expect(machine.memory.slots.slots.map(\.base) == slots)
      #expect((0..<guestCase.vcpus).map { machine.processor($0).registers } == registers)
      #expect(machine.audit() == [])
      // A new reference: nothing from before the restore may be used.
      trial = GuestTrial(world, on: machine)
      generator = GuestGenerator(
        world, vcpus: guestCase.vcpus, seed: 8, hasExtraSlot: slots.contains(GFN(0x400)))
      for _ in 0..<100 { try trial.perform(generator.next(machine)) }
      try trial.audit()
    }
  }

  @Test("E19 F18 faults left to the guest are those of the tables that a restore puts back")
  func trapsFollow() throws {
    let text = """
      scenario: 1
      machine: {guest: long4, mmu: shadow, layout: 2008, memory: [{gpa: 0x0, size: 16 MiB}]}
      steps:
        - map: {va: 0x400000, gpa: 0x200000, size: 4 KiB, permissions: urw-, tables-at: 0x600000}
        - write: {va: 0x400000, value: 5, user: true}
        - snapshot: mapped
        - poke: {gpa: 0x1000, value: 0, size: 8}
        - read: {va: 0x400000, user: true}
          expect: {fault: {vector: 14, error: 0x4}}
        - restore: mapped
        - audit: {}
          expect: {ok: true}
        - read: {va: 0x400000, user: true}
          expect: {value: 5}
        - poke: {gpa: 0x602000, value: 0, size: 8}
        - read: {va: 0x400000, user: true}
          expect: {fault: {vector: 14, error: 0x4}}
        - restore: mapped
        - read: {va: 0x400000, user: true}
          expect: {value: 5}
      """
    let runner = try ScenarioRunner(Scenario(yaml: Array(text.utf8)), folder: ".")
    _ = runner.run { #expect($0.isPassed, "step \($0.number): \($0.mismatches)") }
  }
}
