import MMU
import Machine
import MachineSupport
import Paging
import ParallelProperty
import Testing
import X86
import X86EPT
import X86TDX

@Suite("A trust domain")
struct TDXMachineTests {
  @Test(
    "E16 added pages are there at once; others are augmented, raise #VE, and work when accepted")
  func sequence() throws {
    let domain = try Domain(busy: 3)
    let first = domain.access(.write, 0x4000_0008, value: 7)
    #expect(Domain.isVE(first))
    // One exit to the host for the page; the guest's tables were added before.
    #expect(first.exits[.eptViolation] == 1)
    #expect(first.exits[.virtualizationException] == 1)
    let again = domain.access(.read, 0x4000_0008)
    #expect(Domain.isVE(again) && again.exits[.eptViolation] == 0)
    try domain.mmu.accept(GFN(0x200))
    let accepted = domain.access(.read, 0x4000_0008)
    #expect(accepted.value == 0 && accepted.exits.total == 0)
    #expect(domain.access(.write, 0x4000_0008, value: 7).value == 7)
    #expect(domain.access(.read, 0x4000_0008).value == 7)
    #expect(throws: TDXError.module(.pageAlreadyAccepted)) {
      try domain.mmu.accept(GFN(0x200))
    }
    #expect(domain.mmu.mirrorBreaches() == [])
  }

  @Test("E16 T6 private and shared memory are apart, and a wrong kind is a memory fault")
  func conversion() throws {
    let domain = try Domain()
    _ = domain.access(.read, 0x4000_1000)
    try domain.mmu.accept(GFN(0x201))
    #expect(domain.access(.write, 0x4000_1000, value: 0x5EC).value == 0x5EC)
    #expect(
      domain.access(.read, 0x5000_1000).failure
        == .memoryFault(GPA(0x20_1000), isPrivate: false))
    let secret = try #require(domain.access(.read, 0x4000_1000).hpa)

    try domain.mmu.convert(domain.frames(1..<2), toPrivate: false)
    #expect(domain.module.entry(GFN(0x201), .pageTable).state == .free)
    let open = domain.access(.write, 0x5000_1000, value: 0x99)
    #expect(open.value == 0x99 && open.hpa != secret)
    #expect(
      domain.access(.read, 0x4000_1000).failure == .memoryFault(GPA(0x20_1000), isPrivate: true))
    #expect(domain.mmu.mirrorBreaches() == [])

    try domain.mmu.convert(domain.frames(1..<2), toPrivate: true)
    #expect(
      domain.access(.read, 0x5000_1000).failure
        == .memoryFault(GPA(0x20_1000), isPrivate: false))
    #expect(Domain.isVE(domain.access(.read, 0x4000_1000)))
    try domain.mmu.accept(GFN(0x201))
    // What the guest had there before is gone.
    #expect(domain.access(.read, 0x4000_1000).value == 0)
    #expect(domain.mmu.mirrorBreaches() == [])
    #expect(domain.mmu.audit() == [])
  }

  @Test("E7 E15 E16 shared MMIO is a #VE: bit 63 of its entry is clear, of no other one")
  func sharedMMIO() throws {
    let domain = try Domain()
    let first = domain.access(.read, 0x6000_0000)
    #expect(Domain.isVE(first))
    #expect(first.exits[.eptViolation] == 1 && first.exits[.virtualizationException] == 1)
    let second = domain.access(.write, 0x6000_0000, value: 1)
    #expect(Domain.isVE(second))
    #expect(second.exits[.eptViolation] == 0 && second.exits[.virtualizationException] == 1)
    #expect(first.mmio == nil && second.mmio == nil)
  }

  @Test("E16 a module that stays busy changes nothing, and the mirror agrees")
  func busy() throws {
    let domain = try Domain()
    domain.module.makeBusy(calls: 1_000_000)
    #expect(
      domain.access(.read, 0x4000_2000).failure
        == .refused(GPA(0x20_2000), reason: "the TDX module says TDX_OPERAND_BUSY"))
    #expect(throws: TDXError.module(.operandBusy)) {
      try domain.mmu.removeBuilt(domain.built)
    }
    domain.module.makeBusy(calls: 0)
    #expect(domain.mmu.mirrorBreaches() == [])
    #expect(Domain.isVE(domain.access(.read, 0x4000_2000)))
  }

  @Test("E16 the host may not add to a finalized domain")
  func lateAdd() throws {
    let domain = try Domain()
    #expect(throws: TDXError.module(.opStateIncorrect)) {
      try domain.mmu.add(domain.frames(15..<16))
    }
    #expect(domain.mmu.mirrorBreaches() == [])
  }
}

extension TDXMMU {
  /// Gives frames of the domain back.
  func removeBuilt(_ frames: Range<UInt64>) throws(TDXError) {
    try convert(GFN(frames.lowerBound)..<GFN(frames.upperBound), toPrivate: false)
  }
}
