public import Paging

extension ShadowMMU: FaultHandler, VirtualMMU, AuditableMMU where Guest: ShadowedProcessor {
  /// INVLPG and writes of control registers are seen.
  public static var interceptsInvalidation: Bool { true }

  /// Takes the guest's new state: the root that belongs to it, and tables brought in step where the
  /// processor drops translations (SPEC F6, F14).
  @inlinable
  public func registersChanged<Other: TranslationRegime>(
    _ guest: Other, dropping scope: TLBInvalidation, on cpu: inout CPU,
    _ observer: borrowing some MMUObserver
  ) {
    guard let guest = guest as? Guest else { preconditionFailure(Self.wrongGuest) }
    guestChanged(guest, dropping: scope, on: &cpu, observer)
  }

  /// The hardware's walk of the shadow.
  ///
  /// The guest is the one that the MMU was composed for: a machine has guests of one kind.
  @inlinable
  public func walk<Other: TranslationRegime>(
    _ gva: GVA, for access: Other.Access, by guest: Other, on cpu: inout CPU
  ) -> Result<HardwareTranslation<Other.Rights>, HardwareFailure<Other.Fault, Exit>>
  where Other.Input == GuestVirtual, Other.Access: MemoryAccess {
    typealias Answer = Result<
      HardwareTranslation<Other.Rights>, HardwareFailure<Other.Fault, Exit>
    >
    guard let own = access as? Guest.Access else { preconditionFailure(Self.wrongGuest) }
    if cpu.guest == nil { registersChanged(guest, dropping: .nothing, on: &cpu, NoObserver()) }
    guard let answer = walk(gva, for: own, on: &cpu) as? Answer else {
      preconditionFailure(Self.wrongGuest)
    }
    return answer
  }

  @inlinable
  static var wrongGuest: String { "the machine's guest is not the one the MMU was composed for" }

  @inlinable
  func walk(
    _ gva: GVA, for access: Guest.Access, on cpu: inout CPU
  ) -> Result<HardwareTranslation<Guest.Rights>, HardwareFailure<Guest.Fault, Exit>> {
    locked(&cpu, NoObserver()) { cpu in
      guard let guest = cpu.guest else { return .failure(.contended) }
      let linear = guest.linear(gva, for: access)
      guard let hardware = cpu.hardware else {
        // No page was left for a root: the handler tries again, or says so.
        return .failure(
          .exit(ShadowExit(gva: linear, access: access, errorCode: 0, isMalformed: false)))
      }
      var last = LastEntry()
      switch hardware.translate(linear, for: access, in: host, &last) {
      case .success(let found):
        let permissions = hardware.permissions(of: found.rights)
        return .success(
          HardwareTranslation(
            hpa: found.address, gpa: gpa(of: linear, by: last.address), rights: found.rights,
            tableRights: found.tableRights, leaf: found.leaf, hostPermissions: permissions,
            isDirty: access.kind == .write, guestPageSize: found.pageSize))
      case .failure(.fault(let fault)):
        let exception = Guest.exception(of: fault)
        // An entry that does not trap: the guest has its fault, and the host learns nothing of it.
        let isGuestsOwn = last.kind == .notPresent && encoder.layout.noTrap != nil
        if isGuestsOwn || !exception.isPageFault { return .failure(.guest(fault)) }
        return .failure(
          .exit(
            ShadowExit(
              gva: linear, access: access, errorCode: exception.errorCode,
              isMalformed: exception.isMalformed)))
      case .failure(.contended): return .failure(.contended)
      case .failure(.unreadable(.outside(let hpa), _, _)): return .failure(.outside(hpa))
      case .failure(.unreadable(.unavailable, _, _)): return .failure(.contended)
      }
    }
  }

}

extension ShadowMMU {
  /// The address in the memslots behind a leaf of the shadow: a courtesy to reports, which the
  /// processor never learns.
  @inlinable
  func gpa(of address: Address<Guest.Input>, by leaf: HPA) -> GPA? {
    guard let page = registry.page(at: leaf.frame) else { return nil }
    let index = Int(leaf.offset(in: .size4KiB) / 8)
    let size = PageSize(shift: 3 + 9 * page.role.level.rawValue)
    return page.frame(of: index).baseAddress.wrappingAdd(address.offset(in: size))
  }
}

/// The processor's walk, with the place of its last entry kept.
@usableFromInline
struct LastEntry: WalkStrategy {
  @inlinable static var judges: Bool { true }
  @inlinable static var marks: Bool { true }
  @usableFromInline var address = HPA(0)
  @usableFromInline var kind = EntryKind.table

  @inlinable
  init() {}

  @inlinable
  mutating func read(_ step: WalkStep) {
    address = HPA(step.entryAddress)
    kind = step.kind
  }
}

/// The guest's walk as the MMU makes it: as the processor would, and with every entry kept.
@usableFromInline
struct GuestWalk: WalkStrategy {
  @inlinable static var judges: Bool { true }
  @inlinable static var marks: Bool { true }
  /// The entries by level, from 1; those that were read are not `nil`.
  @usableFromInline var steps = InlineArray<6, WalkStep?>(repeating: nil)

  @inlinable
  init() {}

  @inlinable
  mutating func read(_ step: WalkStep) { self[step.level] = step }

  @inlinable
  mutating func restart() { steps = InlineArray(repeating: nil) }

  @inlinable
  subscript(level: Level) -> WalkStep? {
    get { steps.indices.contains(level.rawValue) ? steps[level.rawValue] : nil }
    set { if steps.indices.contains(level.rawValue) { steps[level.rawValue] = newValue } }
  }
}
