public import MMU
public import Paging
public import X86Guest

/// What INVVPID drops (SPEC W16).
///
/// **Source** Intel SDM Vol. 3C, "Invalidate Translations Based on VPID".
public enum VPIDInvalidation: Sendable, Hashable {
  /// Type 0: one linear address.
  case address(GVA)
  /// Types 1 and 2: one virtual processor, or all.
  case everything
  /// Type 3: one virtual processor, globals apart.
  case nonGlobals
}

extension Machine where Guest == X86Processor, MMU: NestingMMU {
  /// VM entry on one vCPU with another second level, or the exit to the hypervisor inside the guest.
  ///
  /// The registers are the caller's to load, as a VMCS is the hypervisor's.
  /// - Parameters:
  ///   - index: which vCPU.
  ///   - pointer: EPTP or nested CR3; `nil` for the hypervisor itself.
  /// - Returns: false where the entry fails; nothing has changed then.
  public func vcpu(_ index: Int, selectSecondLevel pointer: UInt64?) -> Bool {
    mmu.select(pointer, on: &vcpus[index].state.context, observer)
  }

  /// INVEPT on one vCPU: of one EPTP, or of all where `pointer` is `nil` (types 1 and 2); likewise an
  /// SVM entry that asks for a flush.
  ///
  /// - Returns: false where the instruction fails.
  public func vcpu(_ index: Int, invalidateSecondLevel pointer: UInt64?) -> Bool {
    let time = ledger?.now()
    guard mmu.invalidate(pointer: pointer, on: &vcpus[index].state.context, observer) else {
      return false
    }
    if let time {
      let root = pointer.map { GPA($0 & 0x000F_FFFF_FFFF_F000) }
      ledger?.invalidated(secondLevel: root, on: index, since: time)
    }
    return true
  }

  /// Says where a vCPU's exits become #VE of the guest's guest, as the hypervisor's VMCS does
  /// (virtualization-exception information address).
  ///
  /// - Parameters:
  ///   - index: which vCPU.
  ///   - area: in the hypervisor's memory; `nil` for exits alone.
  public func vcpu(_ index: Int, takesExceptionsIn area: GPA?) {
    mmu.takeExceptions(in: area, on: &vcpus[index].state.context)
  }

  /// INVVPID on one vCPU: linear addresses alone, so that what is cached of the second level stays.
  ///
  /// - Returns: false for VPID 0, for which the instruction fails.
  public func vcpu(_ index: Int, invalidate scope: VPIDInvalidation, vpid: UInt16) -> Bool {
    guard vpid != 0 else { return false }
    switch scope {
    // In every address space of the virtual processor, and the TLB keeps pages by address space.
    case .address, .everything: vcpus[index].state.drop(.everything, since: ledger?.now())
    case .nonGlobals: vcpus[index].state.drop(.allNonGlobals, since: ledger?.now())
    }
    return true
  }
}
