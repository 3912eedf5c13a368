public import Paging

/// The access rules that a processor's registers and features switch on.
///
/// The one home of WP, SMEP, SMAP, execute-disable, protection keys and shadow stacks (SPEC W7–W10,
/// W19); all x86 guest formats judge by it.
@frozen
public struct X86Controls: Hashable, Sendable {
  /// CR0.WP.
  public var writeProtect: Bool
  /// EFER.NXE.
  public var executeDisable: Bool
  /// CR4.SMEP.
  public var smep: Bool
  /// CR4.SMAP.
  public var smap: Bool
  /// Whether a fetch is told in the error code: (NXE and PAE) or SMEP.
  public var reportsFetch: Bool
  /// CR4.PKE in a long mode.
  public var userKeys: Bool
  /// CR4.PKS in a long mode.
  public var supervisorKeys: Bool
  /// CR4.CET: read-only dirty pages are shadow stacks.
  public var shadowStacks: Bool
  /// PKRU.
  public var pkru: UInt32
  /// IA32_PKRS.
  public var pkrs: UInt32

  /// The rules under the given registers on the given processor.
  public init(_ registers: X86Registers, _ features: X86Features) {
    let cr4 = registers.cr4
    let isLong = registers.mode == .long4 || registers.mode == .long5
    writeProtect = registers.cr0.contains(.writeProtect)
    executeDisable = features.nx && registers.efer.contains(.noExecuteEnable)
    smep = features.smep && cr4.contains(.supervisorExecutionPrevention)
    smap = features.smap && cr4.contains(.supervisorAccessPrevention)
    reportsFetch = (executeDisable && cr4.contains(.physicalAddressExtension)) || smep
    userKeys = isLong && features.pku && cr4.contains(.userProtectionKeys)
    supervisorKeys = isLong && features.pks && cr4.contains(.supervisorProtectionKeys)
    shadowStacks = features.shadowStacks && cr4.contains(.controlFlowEnforcement)
    pkru = registers.pkru
    pkrs = registers.pkrs
  }

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
    var needed: UInt64 = 0
    if access.isUser { needed |= X86Rights.userBit }
    switch access.kind {
    case .read: break
    case .write: if access.isUser || writeProtect { needed |= X86Rights.writeBit }
    case .fetch: needed |= X86Rights.executeBit
    }
    if rights.granted & needed != needed { return false }
    if rights.isUser && !access.isUser {
      if access.kind == .fetch {
        if smep { return false }
      } else if smap && (access.isImplicit || !access.alignmentCheck) {
        return false
      }
    }
    if userKeys || supervisorKeys { return !keyDenies(access, rights: rights, leaf: leaf) }
    return true
  }

  /// Whether the page's protection key denies a data access (SPEC W10).
  ///
  /// **Source** Intel SDM Vol. 3A, "Protection Keys".
  @inlinable
  public func keyDenies(_ access: X86Access, rights: X86Rights, leaf: UInt64) -> Bool {
    guard access.kind != .fetch, rights.isUser ? userKeys : supervisorKeys else { return false }
    let key = UInt32(truncatingIfNeeded: leaf &>> 59) & 15
    let bits = (rights.isUser ? pkru : pkrs) &>> (2 &* key)
    if bits & 1 != 0 { return true }
    // On supervisor pages WD needs CR0.WP=1 whoever writes; on user pages user mode does not ask.
    let isWriteDeniable = writeProtect || (access.isUser && rights.isUser)
    return access.kind == .write && bits & 2 != 0 && isWriteDeniable
  }

  /// Whether a shadow-stack access is granted (SPEC W19): writable above, a read-only dirty leaf, of
  /// the access's own privilege.
  ///
  /// **Source** Intel SDM Vol. 3A, "Determination of Access Rights", shadow-stack accesses.
  @inlinable
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
