import MMU
import Machine
import Paging
import Scenario
import ShadowProperty
import X86
import X86Guest

/// A shadow MMU with a bug: it does not hear of INVLPG.
struct ForgetfulMMU: MMUWrapper, AuditableMMU {
  let base: ShadowRig.MMUType

  func invalidatePage(
    _ gva: GVA, on cpu: inout CPU, _ observer: borrowing some MMUObserver
  ) {}

  func audit() -> [String] { base.audit() }

  /// The machine of a case, with the bug.
  static func machine(_ guestCase: GuestCase) throws -> any ScenarioMachine {
    let rig = try guestCase.rig()
    let guests = Array(repeating: rig.machine.vcpus[0].guest, count: guestCase.vcpus)
    return try Machine(guests: guests, mmu: ForgetfulMMU(base: rig.mmu))
  }
}

extension GuestCase {
  /// The machine as a rig, whose parts a test may replace.
  func rig(layout: NamedLayout = .standard) throws -> ShadowRig {
    let slots = [
      Memslot(id: 0, base: GFN(0), frameCount: 0x400, host: HPA(16 << 20), backing: .size2MiB),
      Memslot(id: 1, base: GFN(0x400), frameCount: 4, host: HPA(40 << 20)),
    ]
    return try ShadowRig(
      mode, slots: slots, tablePages: tablePages, vcpus: vcpus, options: options, layout: layout)
  }
}
