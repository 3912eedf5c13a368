public import Paging

/// The access rules that a processor's registers and features switch on.
///
/// The one home of WP, SMEP, SMAP, execute-disable, protection keys and shadow stacks (SPEC W7–W10,
/// W19); all x86 guest formats judge by it.
@frozen
public struct X86Controls: Hashable, Sendable {
  // PERF: walk.regime.random; five numbers. A format of more than fifteen fields is copied to the
  // stack wherever it is handed on.
  @usableFromInline let flags: X86ControlFlags
  /// PKRU.
  public let pkru: UInt32
  /// IA32_PKRS.
  public let pkrs: UInt32
  /// The rules that need the folded rights alone.
  @usableFromInline let verdicts: X86Verdicts

  /// The rules under the given registers on the given processor.
  public init(_ registers: X86Registers, _ features: X86Features) {
    let cr4 = registers.cr4
    let isLong = registers.mode == .long4 || registers.mode == .long5
    var flags: X86ControlFlags = []
    if registers.cr0.contains(.writeProtect) { flags.insert(.writeProtect) }
    if features.nx, registers.efer.contains(.noExecuteEnable) { flags.insert(.executeDisable) }
    if features.smep, cr4.contains(.supervisorExecutionPrevention) { flags.insert(.smep) }
    if features.smap, cr4.contains(.supervisorAccessPrevention) { flags.insert(.smap) }
    let hasPAE = cr4.contains(.physicalAddressExtension)
    if flags.contains(.smep) || (flags.contains(.executeDisable) && hasPAE) {
      flags.insert(.reportsFetch)
    }
    if isLong, features.pku, cr4.contains(.userProtectionKeys) { flags.insert(.userKeys) }
    if isLong, features.pks, cr4.contains(.supervisorProtectionKeys) {
      flags.insert(.supervisorKeys)
    }
    if features.shadowStacks, cr4.contains(.controlFlowEnforcement) {
      flags.insert(.shadowStacks)
    }
    self.flags = flags
    pkru = registers.pkru
    pkrs = registers.pkrs
    verdicts = X86Verdicts(
      writeProtect: flags.contains(.writeProtect), smep: flags.contains(.smep),
      smap: flags.contains(.smap))
  }

  /// CR0.WP.
  @inlinable
  public var writeProtect: Bool { flags.contains(.writeProtect) }
  /// EFER.NXE.
  @inlinable
  public var executeDisable: Bool { flags.contains(.executeDisable) }
  /// CR4.SMEP.
  @inlinable
  public var smep: Bool { flags.contains(.smep) }
  /// CR4.SMAP.
  @inlinable
  public var smap: Bool { flags.contains(.smap) }
  /// Whether a fetch is told in the error code: (NXE and PAE) or SMEP.
  @inlinable
  public var reportsFetch: Bool { flags.contains(.reportsFetch) }
  /// CR4.PKE in a long mode.
  @inlinable
  public var userKeys: Bool { flags.contains(.userKeys) }
  /// CR4.PKS in a long mode.
  @inlinable
  public var supervisorKeys: Bool { flags.contains(.supervisorKeys) }
  /// CR4.CET: read-only dirty pages are shadow stacks.
  @inlinable
  public var shadowStacks: Bool { flags.contains(.shadowStacks) }

  /// Whether a walk that arrived grants the access (SPEC W8–W10, W19).
  ///
  /// **Source** Intel SDM Vol. 3A, "Determination of Access Rights".
  @inlinable
  @inline(__always)  // PERF: walk.checked.random
  public func permit(
    _ access: X86Access, rights: X86Rights, tables: X86Rights, leaf: UInt64
  ) -> Bool {
    if access.isShadowStack {
      return permitShadowStack(access, rights: rights, tables: tables, leaf: leaf)
    }
    guard verdicts.grants(access, rights) else { return false }
    return flags.isDisjoint(with: .keys) || !keyDenies(access, rights: rights, leaf: leaf)
  }

  /// Whether the page's protection key denies a data access (SPEC W10).
  ///
  /// **Source** Intel SDM Vol. 3A, "Protection Keys".
  @inlinable
  @inline(__always)
  public func keyDenies(_ access: X86Access, rights: X86Rights, leaf: UInt64) -> Bool {
    let register = rights.isUser ? (userKeys ? pkru : 0) : (supervisorKeys ? pkrs : 0)
    let pair = register &>> UInt32(truncatingIfNeeded: (leaf &>> 58) & 0b11110)
    // On supervisor pages WD needs CR0.WP=1 whoever writes; on user pages user mode does not ask.
    let deniable: UInt32 = rights.isUser || writeProtect ? 0b11 : 0b01
    return pair & verdicts.keyBits(access) & deniable != 0
  }

  /// Whether a shadow-stack access is granted (SPEC W19): writable above, a read-only dirty leaf, of
  /// the access's own privilege.
  ///
  /// **Source** Intel SDM Vol. 3A, "Determination of Access Rights", shadow-stack accesses.
  @inlinable
  @inline(never)  // PERF: walk.checked.random; rare, so it stays out of the loop's code.
  public func permitShadowStack(
    _ access: X86Access, rights: X86Rights, tables: X86Rights, leaf: UInt64
  ) -> Bool {
    let isShadowStackPage = tables.isWritable && leaf & 0b10 == 0 && leaf & (1 << 6) != 0
    guard shadowStacks, isShadowStackPage, rights.isUser == access.isUser else { return false }
    return !keyDenies(access, rights: rights, leaf: leaf)
  }

  /// The error code of a page fault (SPEC W7).
  @inlinable
  public func errorCode(
    _ cause: FaultCause, for access: X86Access, rights: X86Rights, leaf: UInt64
  ) -> PageFaultErrorCode {
    var code: PageFaultErrorCode = []
    if access.kind == .write { code.insert(.write) }
    if access.isUser { code.insert(.user) }
    if access.kind == .fetch && reportsFetch { code.insert(.fetch) }
    if access.isShadowStack { code.insert(.shadowStack) }
    switch cause {
    case .reservedBit: code.formUnion([.present, .reserved])
    case .permission:
      code.insert(.present)
      if keyDenies(access, rights: rights, leaf: leaf) { code.insert(.protectionKey) }
    case .notPresent, .nonCanonical, .forbiddenAddress: break
    }
    return code
  }
}
