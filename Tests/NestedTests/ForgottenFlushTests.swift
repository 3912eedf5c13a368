import MMU
import Machine
import MachineSupport
import Paging
import Testing
import X86
import X86EPT
import X86Guest

/// An MMU with a bug: it does not hear of INVEPT.
private struct ForgetfulMMU<Base: NestingMMU>: MMUWrapper, NestingMMU {
  let base: Base

  func select(
    _ pointer: UInt64?, on cpu: inout Base.CPU, _ observer: borrowing some MMUObserver
  ) -> Bool { base.select(pointer, on: &cpu, observer) }

  func map(
    _ gpa: GPA, to place: GPA, length: UInt64, pageSize: PageSize, permissions: Permissions,
    pointer: UInt64, takeTable: () -> GPA?
  ) throws(TableEditError) -> Bool {
    try base.map(
      gpa, to: place, length: length, pageSize: pageSize, permissions: permissions,
      pointer: pointer, takeTable: takeTable)
  }

  func takeExceptions(in area: GPA?, on cpu: inout Base.CPU) {
    base.takeExceptions(in: area, on: &cpu)
  }

  func invalidate(
    pointer: UInt64?, on cpu: inout Base.CPU, _ observer: borrowing some MMUObserver
  ) -> Bool { true }

  func audit() -> [String] { base.audit() }
}

@Suite("Forgotten flushes of a guest's guest")
struct NestedForgottenFlushTests {
  private static let page: UInt64 = 0x8000

  private func machine<MMU: NestingMMU>(
    _ mmu: MMU, of rig: NestedRig<EPTEncoder>
  ) throws -> Machine<X86Processor, MMU, NoObserver> {
    let machine = try Machine(
      guests: rig.machine.vcpus.map(\.guest), mmu: mmu,
      ledger: TranslationLedger(memory: rig.memory))
    #expect(machine.vcpu(1, selectSecondLevel: NestedRig<EPTEncoder>.pointer()))
    return machine
  }

  @Test("W16 F15 an INVEPT that the MMU does not hear of is told as its error, with the store")
  func forgottenINVEPT() throws {
    let rig = try NestedRig(EPTEncoder(EPTCapabilities(physicalAddressWidth: 46)))
    rig.boot()
    let machine = try machine(ForgetfulMMU(base: rig.mmu), of: rig)
    let ledger = try #require(machine.ledger)
    func use() -> AccessReport<X86Fault> {
      machine.vcpu(1, access: X86Access(.read), at: GVA(Self.page), size: 8)
    }
    #expect(use().gpa == GPA(0x20_8000))
    let entry = rig.entry(Self.page, level: 1)
    let value = EPTEncoder.leafEntry(0x30_0000, granting: .all, level: 1)
    _ = machine.vcpu(
      0, access: X86Access(.write), at: GVA(entry), size: 8, value: UInt128(value))
    #expect(use().gpa == GPA(0x20_8000))
    #expect(ledger.take().findings.map(\.verdict) == [.hypervisor])
    #expect(machine.vcpu(1, invalidateSecondLevel: nil))
    #expect(use().gpa == GPA(0x20_8000), "the bug")
    let finding = try #require(ledger.take().findings.first)
    #expect(finding.verdict == .mmu)
    guard case .write(let write) = finding.cause else {
      Issue.record("\(finding)")
      return
    }
    #expect(write.gpa == GPA(entry) && write.after == value && write.vcpu == 0)
  }

  @Test("T5 F15 what the host takes away from under three levels is the MMU's to flush")
  func forgottenUnmap() throws {
    let rig = try NestedRig(EPTEncoder(EPTCapabilities(physicalAddressWidth: 46)))
    rig.boot()
    for isBroken in [true, false] {
      func counts<MMU: VirtualMMU>(_ mmu: MMU) throws -> TranslationLedger {
        let machine = try Machine(
          guests: rig.machine.vcpus.map(\.guest), mmu: mmu,
          ledger: TranslationLedger(memory: rig.memory))
        func use() { _ = machine.vcpu(0, access: X86Access(.read), at: GVA(0x30_8000), size: 8) }
        use()
        rig.mmu.unmapHost(GFN(0x308)..<GFN(0x309))
        use()
        return try #require(machine.ledger)
      }
      let ledger = try isBroken ? counts(NeverFlushingMMU(rig.mmu)) : counts(rig.mmu)
      let found = ledger.take().findings
      #expect(found.count == (isBroken ? 1 : 0))
      guard let finding = found.first else { continue }
      #expect(finding.verdict == .mmu && finding.difference == .frame)
      guard case .host(let operation) = finding.cause else {
        Issue.record("\(finding)")
        continue
      }
      #expect(operation.kind == .unmap && operation.frames.contains(GFN(0x308)))
    }
  }
}
