package import MMU
package import Paging

/// An MMU whose vCPUs wait for their turn before they touch the guest's data, too.
///
/// The machine moves an access's bytes after the walk, or after it has entered where its TLB answers.
package struct PacedMMU<Base: VirtualMMU>: MMUWrapper {
  package let base: Base
  let turns: Turns

  package func isCurrent(_ cpu: Base.CPU) -> Bool {
    guard base.isCurrent(cpu) else { return false }
    turns.stepToData()
    return true
  }

  package func enter(_ cpu: inout Base.CPU) -> Bool {
    let needsFlush = base.enter(&cpu)
    if !needsFlush { turns.stepToData() }
    return needsFlush
  }

  package func walk<Guest: TranslationRegime>(
    _ gva: GVA, for access: Guest.Access, by guest: Guest, on cpu: inout Base.CPU
  ) -> Result<HardwareTranslation<Guest.Rights>, HardwareFailure<Guest.Fault, Base.Exit>>
  where Guest.Input == GuestVirtual, Guest.Access: MemoryAccess {
    let result = base.walk(gva, for: access, by: guest, on: &cpu)
    if case .success = result { turns.stepToData() }
    return result
  }
}
