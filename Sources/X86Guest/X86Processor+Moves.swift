public import Paging
public import X86
import X86PAE

/// Why a register cannot be written: the instruction raises #GP(0) and nothing changes.
public enum RegisterFault: Error, Sendable, Hashable {
  /// Bits that must be zero are set.
  case reservedBits(UInt64)
  /// Bits whose new value the other registers do not allow.
  case illegalBits(UInt64)
  /// A PDPTE that the move would load has reserved bits.
  case reservedPDPTE(index: Int, bits: UInt64)
  /// The memory of the PDPTEs did not answer; hardware would read whatever the bus returns.
  case unreadablePDPTEs(UInt64)
  /// The load of the PDPTEs leaves the guest: the hypervisor inside it does not map them.
  case reflected(ReflectedExit)
}

extension RegisterFault: CustomStringConvertible {
  /// One line.
  public var description: String {
    switch self {
    case .reservedBits(let bits): "#GP: reserved bits 0x\(String(bits, radix: 16))"
    case .illegalBits(let bits): "#GP: illegal change of bits 0x\(String(bits, radix: 16))"
    case .reservedPDPTE(let index, let bits):
      "#GP: PDPTE \(index) has reserved bits 0x\(String(bits, radix: 16))"
    case .unreadablePDPTEs(let address):
      "the PDPTEs at 0x\(String(address, radix: 16)) cannot be read"
    case .reflected(let exit): "the PDPTEs are not mapped: \(exit)"
    }
  }
}

extension X86Processor {
  /// MOV CR3 (SPEC W1, W3, W16).
  ///
  /// - Returns: what is dropped from the TLB; or why the move is #GP.
  public mutating func moveToCR3<Memory: EntryMemory & ~Copyable>(
    _ value: UInt64, in memory: borrowing Memory
  ) -> Result<TLBInvalidation, RegisterFault> {
    let isLong = registers.efer.contains(.longModeActive)
    let keepsTranslations = usesPCID && value >> 63 != 0
    let stored = usesPCID ? value & ~(1 << 63) : value
    if isLong {
      var reserved = ~features.physicalAddressMask
      if features.lam { reserved &= ~(3 << 61) }
      guard stored & reserved == 0 else { return .failure(.reservedBits(stored & reserved)) }
    }
    var next = registers
    next.cr3 = isLong ? stored : stored & 0xFFFF_FFFF
    if let fault = load(next, reloadsPDPTEs: next.mode == .pae, in: memory) {
      return .failure(fault)
    }
    if keepsTranslations { return .success(.nothing) }
    return .success(usesPCID ? .nonGlobals(tag: addressSpaceTag) : .allNonGlobals)
  }

  /// MOV CR0 (SPEC W3, W16).
  ///
  /// **Source** Intel SDM Vol. 2B, "MOV—Move to/from Control Registers", protected-mode exceptions.
  public mutating func moveToCR0<Memory: EntryMemory & ~Copyable>(
    _ value: CR0, in memory: borrowing Memory
  ) -> Result<TLBInvalidation, RegisterFault> {
    let changed = registers.cr0.symmetricDifference(value)
    let isPaging = value.contains(.paging)
    if isPaging, !value.contains(.protectionEnable) { return .failure(.illegalBits(1 << 31)) }
    if value.contains(.notWriteThrough), !value.contains(.cacheDisable) {
      return .failure(.illegalBits(1 << 29))
    }
    if changed.contains(.paging) {
      let isLong = registers.efer.contains(.longModeEnable)
      let isRefused =
        isPaging
        ? isLong && !registers.cr4.contains(.physicalAddressExtension)
        : registers.cr4.contains(.processContextIdentifiers)
      if isRefused { return .failure(.illegalBits(1 << 31)) }
    }
    var next = registers
    next.cr0 = value
    if changed.contains(.paging) {
      let isEntering = value.contains(.paging) && next.efer.contains(.longModeEnable)
      if isEntering { next.efer.insert(.longModeActive) } else { next.efer.remove(.longModeActive) }
    }
    let reloads =
      next.mode == .pae && !changed.isDisjoint(with: [.paging, .cacheDisable, .notWriteThrough])
    if let fault = load(next, reloadsPDPTEs: reloads, in: memory) { return .failure(fault) }
    // On the way in too: translations of the mode without paging are of no use to the new one.
    return .success(changed.contains(.paging) ? .everything : .nothing)
  }

  /// MOV CR4 (SPEC W3, W16).
  ///
  /// **Source** as MOV CR0.
  public mutating func moveToCR4<Memory: EntryMemory & ~Copyable>(
    _ value: CR4, in memory: borrowing Memory
  ) -> Result<TLBInvalidation, RegisterFault> {
    let old = registers.cr4
    let changed = old.symmetricDifference(value)
    let isLong = registers.efer.contains(.longModeActive)
    let fixed: CR4 = isLong ? [.physicalAddressExtension, .linearAddress57] : []
    if !changed.isDisjoint(with: fixed) {
      return .failure(.illegalBits(changed.intersection(fixed).rawValue))
    }
    if changed.contains(.processContextIdentifiers), value.contains(.processContextIdentifiers),
      !isLong || registers.cr3 & 0xFFF != 0
    {
      return .failure(.illegalBits(CR4.processContextIdentifiers.rawValue))
    }
    var next = registers
    next.cr4 = value
    let reloading: CR4 = [
      .physicalAddressExtension, .globalPages, .pageSizeExtensions,
      .supervisorExecutionPrevention,
    ]
    let reloads = next.mode == .pae && !changed.isDisjoint(with: reloading)
    if let fault = load(next, reloadsPDPTEs: reloads, in: memory) { return .failure(fault) }
    let losesPCIDs =
      old.contains(.processContextIdentifiers) && !value.contains(.processContextIdentifiers)
    if changed.contains(.globalPages) || losesPCIDs { return .success(.everything) }
    let gainsSMEP =
      !old.contains(.supervisorExecutionPrevention)
      && value.contains(.supervisorExecutionPrevention)
    if changed.contains(.physicalAddressExtension) || gainsSMEP {
      return .success(usesPCID ? .nonGlobals(tag: addressSpaceTag) : .everything)
    }
    return .success(.nothing)
  }

  /// WRMSR to IA32_EFER; LMA is the processor's own and stays, and so does the TLB, as on hardware.
  public mutating func moveToEFER(_ value: EFER) {
    var next = registers
    next.efer = value.subtracting(.longModeActive)
    if registers.efer.contains(.longModeActive) { next.efer.insert(.longModeActive) }
    replace(next, pdptes: nil)
  }

  /// WRPKRU, and WRMSR to IA32_PKRS; keys are judged at each access, so nothing is dropped.
  public mutating func moveToKeys(pkru: UInt32? = nil, pkrs: UInt32? = nil) {
    var next = registers
    if let pkru { next.pkru = pkru }
    if let pkrs { next.pkrs = pkrs }
    replace(next, pdptes: nil)
  }

  /// INVLPG: the page in the current address space, and its globals in all; outside long mode bits
  /// 31:0 of the address count alone.
  public func invalidatePage(_ address: GVA) -> TLBInvalidation {
    let isLong = regime.mode == .long4 || regime.mode == .long5
    return .page(isLong ? address : GVA(address.rawValue & 0xFFFF_FFFF), tag: addressSpaceTag)
  }

  private mutating func load<Memory: EntryMemory & ~Copyable>(
    _ next: X86Registers, reloadsPDPTEs: Bool, in memory: borrowing Memory
  ) -> RegisterFault? {
    if reloadsPDPTEs { return reload(next, in: memory) }
    replace(next, pdptes: nil)
    return nil
  }

  // PERF: switch.shadow; what the memory's failures look like is asked for here alone.
  @inline(never)
  private mutating func reload<Memory: EntryMemory & ~Copyable>(
    _ next: X86Registers, in memory: borrowing Memory
  ) -> RegisterFault? {
    switch PDPTERegisters.load(cr3: next.cr3, features: features, in: memory) {
    case .success(let loaded):
      replace(next, pdptes: loaded.registers)
      return nil
    case .failure(.reservedBits(let index, _, let bits)):
      return .reservedPDPTE(index: index, bits: bits)
    case .failure(.unreadable(_, let entry)): return .unreadablePDPTEs(entry)
    }
  }
}
