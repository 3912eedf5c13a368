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
      guard let linear = cpu.guest?.linear(gva, for: access) else {
        return .failure(.contended)
      }
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
@frozen
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
@frozen
@usableFromInline
struct GuestWalk: WalkStrategy {
  @inlinable static var judges: Bool { true }
  @inlinable static var marks: Bool { true }
  // PERF: fault.shadow; plain words, which a look at one level does not copy. Eight places, so that an
  // index of three bits needs no check.

  /// The levels whose entry was read, a bit each.
  @usableFromInline var levels: UInt8 = 0
  /// What was read, and where, by level.
  @usableFromInline var entries = InlineArray<8, UInt64>(repeating: 0)
  @usableFromInline var addresses = InlineArray<8, UInt64>(repeating: 0)

  @inlinable
  init() {}

  @inlinable
  mutating func read(_ step: WalkStep) {
    let place = step.level.rawValue & 7
    levels |= 1 &<< UInt8(truncatingIfNeeded: place)
    entries[place] = step.entry
    addresses[place] = step.entryAddress
  }

  @inlinable
  mutating func restart() { levels = 0 }

  /// The entry of a level and its address, or `nil` where none was read.
  @inlinable
  @inline(__always)
  func step(at level: Level) -> (entry: UInt64, address: GPA)? {
    let place = level.rawValue & 7
    guard levels &>> UInt8(truncatingIfNeeded: place) & 1 != 0 else { return nil }
    return (entries[place], GPA(addresses[place]))
  }
}
