public import Paging

/// Private memory without a trust domain, as software protects it: the attribute alone says which page
/// a frame has, and an access says nothing of its own (SPEC T6).
///
/// **Source** KVM behaviour (`KVM_X86_SW_PROTECTED_VM`, guest_memfd).
extension TDPMMU: PrivateMemoryMMU {
  /// Makes a range private, or shared; what the other page held stays there for a conversion back.
  public func convert(_ range: Range<GFN>, toPrivate: Bool) {
    memory.attributes.converting {
      pacing.step(.attributes, isChange: true)
      memory.attributes.set(range, isPrivate: toPrivate)
      // Faults that saw the old attribute are done after this, and what they mapped goes.
      walkers.synchronize(pacing)
      zap(range, because: .conversion)
    }
  }

  /// By the attribute of the frame.
  public func ownAddress(_ gpa: GPA, for kind: AccessKind) -> HPA? {
    var hint = 0
    guard let slot = memory.slots.slot(for: gpa.frame, hint: &hint),
      let pfn = slot.pfn(of: gpa.frame, isPrivate: memory.attributes.isPrivate(gpa.frame))
    else { return nil }
    return pfn.baseAddress.wrappingAdd(gpa.offset(in: .size4KiB))
  }
}
