public import Paging
public import X86
public import X86Long
import X86PAE

extension X86Processor: ShadowedProcessor {
  /// As the registers select.
  public var entries: X86GuestEntries { X86GuestEntries(registers, features, regime) }

  /// CR3's table, or PAE's four registers.
  public var tableRoot: GuestTableRoot {
    switch regime {
    case .none: .none
    case .legacy32(let regime): .table(GPA(regime.root.address))
    case .pae(let regime):
      .registers(
        SIMD4(regime.root[0], regime.root[1], regime.root[2], regime.root[3]))
    case .long4(let regime): .table(GPA(regime.root.address))
    case .long5(let regime): .table(GPA(regime.root.address))
    }
  }

  /// The rules in force.
  public var shadowRules: ShadowRules {
    let controls = regime.controls
    return ShadowRules(
      writeProtect: controls.writeProtect, smep: controls.smep, smap: controls.smap,
      protectionKeys: controls.userKeys || controls.supervisorKeys,
      executeDisable: controls.executeDisable)
  }

  /// Untagged in long modes, bits 31:0 elsewhere.
  @inlinable
  @inline(__always)  // PERF: fault.shadow; a processor is copied for a call.
  public func linear(_ gva: GVA, for access: X86Access) -> GVA {
    switch regime {
    case .long4(let regime): regime.format.untagged(gva, for: access)
    case .long5(let regime): regime.format.untagged(gva, for: access)
    case .none, .legacy32, .pae: GVA(gva.rawValue & 0xFFFF_FFFF)
    }
  }

  /// Long-mode tables under the host's paging bits: WP and NXE are always on; SMEP, SMAP, protection
  /// keys, LAM and LASS act as the guest has them, since they change without an exit or are judged by
  /// the page's U/S bit alone.
  ///
  /// Shadow stacks are off: a shadow entry's read-only dirty page is not the guest's.
  public func hardware(root: HPA, encryptionMask: UInt64) -> X86Regime {
    var host = X86Registers(
      cr0: [.protectionEnable, .paging, .writeProtect], cr3: root.rawValue,
      cr4: [.physicalAddressExtension],
      efer: [.longModeEnable, .longModeActive, .noExecuteEnable])
    var processor = X86Features(
      physicalAddressWidth: features.physicalAddressWidth, vendor: features.vendor)
    processor.encryptionMask = encryptionMask
    processor.smep = features.smep
    processor.smap = features.smap
    let isPaged = regime.mode != .none
    if isPaged {
      host.cr4.formUnion(
        registers.cr4.intersection([.supervisorExecutionPrevention, .supervisorAccessPrevention]))
    }
    if regime.mode == .long4 || regime.mode == .long5 {
      processor.pku = features.pku
      processor.pks = features.pks
      processor.lam = features.lam
      processor.lass = features.lass
      host.cr4.formUnion(
        registers.cr4.intersection([
          .userProtectionKeys, .supervisorProtectionKeys, .supervisorLinearAddressMasking,
          .linearAddressSpaceSeparation,
        ]))
      host.cr3 |= registers.cr3 & 3 << 61
      host.pkru = registers.pkru
      host.pkrs = registers.pkrs
    }
    if regime.mode == .long5 { host.cr4.insert(.linearAddress57) }
    return X86Regime(host, processor)
  }

  /// A page fault, or an exception of the address itself.
  public static func exception(of fault: X86Fault) -> GuestException {
    GuestException(
      vector: fault.vector, errorCode: fault.errorCode.rawValue,
      isPageFault: fault.vector == X86Fault.pageFaultVector,
      isMalformed: fault.cause == .reservedBit)
  }
}
