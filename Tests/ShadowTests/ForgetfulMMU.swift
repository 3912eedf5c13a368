import MMU
import Machine
import Paging
import Scenario
import ShadowProperty
import X86
import X86Guest

/// A shadow MMU with a bug: it does not hear of INVLPG.
struct ForgetfulMMU: MMUWrapper, AuditableMMU, UnmappableMMU {
  let base: ShadowRig.MMUType

  func invalidatePage(
    _ gva: GVA, on cpu: inout CPU, _ observer: borrowing some MMUObserver
  ) {}

  func audit() -> [String] { base.audit() }

  func unmapHost(_ range: Range<GFN>, _ change: () -> Void) -> Int {
    base.unmapHost(range, change)
  }

  /// The machine of a case, with the bug.
  static func machine(_ guestCase: GuestCase) throws -> any ScenarioMachine {
    let slots = [
      Memslot(id: 0, base: GFN(0), frameCount: 0x400, host: HPA(16 << 20), backing: .size2MiB),
      Memslot(id: 1, base: GFN(0x400), frameCount: 4, host: HPA(40 << 20)),
    ]
    let rig = try ShadowRig(
      guestCase.mode, slots: slots, tablePages: guestCase.tablePages, options: guestCase.options)
    let guests = Array(repeating: rig.machine.vcpus[0].guest, count: guestCase.vcpus)
    return try Machine(guests: guests, mmu: ForgetfulMMU(base: rig.mmu))
  }
}
