public import Paging
import X86TDX

extension TDXMMU {
  /// By the shared bit. A private page that is blocked may be used until the next track.
  public func place(
    of gpa: GPA, gva: GVA, on cpu: TDPContext, noting reading: TableReading
  ) -> GuestPlace? {
    let addressing = module.addressing
    guard !addressing.isTooWide(gpa) else { return nil }
    guard addressing.isShared(gpa) else {
      return GuestPlace(
        gpa: gpa, frame: gpa.frame, hpa: module.cachedPage(gpa), isReadOnly: false,
        permissions: .all)
    }
    let stripped = addressing.stripped(gpa)
    var place = memory.place(of: stripped, in: .normal)
    if attributes.isPrivate(stripped.frame) { place.hpa = nil }
    place.gpa = gpa
    return place
  }

  /// What the shared EPT says; the module's tables are not the host's to read.
  public func backing<Guest: TranslationRegime>(
    of gva: GVA, at gpa: GPA?, for access: Guest.Access, by guest: Guest, on cpu: inout TDPContext
  ) -> HostBacking where Guest.Input == GuestVirtual, Guest.Access: MemoryAccess {
    guard let gpa, module.addressing.isShared(gpa) else { return .unknown }
    return shared.backing(
      of: gva, at: module.addressing.stripped(gpa), for: access, by: guest, on: &cpu)
  }

  /// Waits for changes of the mirror, and for those of the shared half.
  public func settle() {
    changing.withLock { _ in }
    shared.settle()
  }
}
