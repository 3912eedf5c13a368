public import Paging

/// What the tables that the host owns say of a page, looked up without side effects.
public enum HostBacking: Sendable, Hashable {
  /// The MMU does not say.
  case unknown
  /// They do not map it.
  case nothing
  /// They map it.
  case page(HPA, Permissions, memoryType: UInt64)
}

extension TDPMMU {
  /// What the second level says of the guest physical address.
  public func backing<Guest: TranslationRegime>(
    of gva: GVA, at gpa: GPA?, for access: Guest.Access, by guest: Guest, on cpu: inout TDPContext
  ) -> HostBacking where Guest.Input == GuestVirtual, Guest.Access: MemoryAccess {
    guard let gpa else { return .unknown }
    let second = FormatRegime(encoder.format, root: encoder.root(cpu.root.baseAddress))
    let final = encoder.format.finalAccess(access.kind, isUser: access.isUser, for: gva)
    guard case .success(let found) = second.translate(gpa, for: final, in: host, Probe()) else {
      return .nothing
    }
    let masks = encoder.layout.masks
    var permissions = encoder.format.permissions(of: found.rights)
    // Where hardware notes writes by D, a write before D is set has to walk.
    if encoder.hasHardwareAD(SPTE(found.leaf)), found.leaf & masks.dirty == 0 {
      permissions.remove(.write)
    }
    return .page(
      found.address.roundedDown(to: .size4KiB), permissions,
      memoryType: found.leaf & (masks.memoryType | masks.ignorePAT))
  }

  /// Waits for changes of whole ranges; the vCPU is to be outside, for they wait for it.
  public func settle() {
    memory.settle()
    withRoots { _ in }
  }
}

extension ShadowMMU where Guest: ShadowedProcessor {
  /// What the shadow says of the linear address.
  public func backing<Other: TranslationRegime>(
    of gva: GVA, at gpa: GPA?, for access: Other.Access, by guest: Other, on cpu: inout CPU
  ) -> HostBacking where Other.Input == GuestVirtual, Other.Access: MemoryAccess {
    locked(&cpu, NoObserver()) { cpu in
      guard let hardware = cpu.hardware, let own = access as? Guest.Access else { return .unknown }
      guard case .success(let found) = hardware.translate(gva, for: own, in: host, Probe()) else {
        return .nothing
      }
      return .page(
        found.address.roundedDown(to: .size4KiB), hardware.permissions(of: found.rights),
        memoryType: found.leaf & encoder.layout.masks.memoryType)
    }
  }
}
