import Paging
import X86TDX

/// Guest physical memory as a trust domain's processor sees it.
struct DomainMemory<Second: SecondLevelFormat>: EntryMemory
where Second.Fault: SecondLevelExit, Second.Root == TableRoot, Second.Entry == UInt64 {
  typealias Space = GuestPhysical
  typealias Failure = HardwareFailure<Never, TDXExit<Second.Fault>>

  let second: FormatRegime<Second>
  let host: HostView
  let module: TDXModule
  let gva: GVA
  /// A free entry: its violation is an exit and no #VE.
  let nonPresent: UInt64

  func load<Entry: TableEntry>(_ address: GPA, as type: Entry.Type) -> Result<Entry, Failure> {
    find(address, .read, isUser: false, isTableAccess: true).flatMap { found in
      host.load(found.hpa, as: type).mapError { _ in .outside(found.hpa) }
    }
  }

  func compareExchange<Entry: TableEntry>(
    _ address: GPA, expected: Entry, desired: Entry
  ) -> Result<EntryExchange, Failure> {
    find(address, .write, isUser: false, isTableAccess: true).flatMap { found in
      host.compareExchange(found.hpa, expected: expected, desired: desired)
        .mapError { _ in .outside(found.hpa) }
    }
  }

  func find(
    _ gpa: GPA, _ kind: AccessKind, isUser: Bool, isTableAccess: Bool
  ) -> Result<(hpa: HPA, permissions: Permissions), Failure> {
    let format = second.format
    let access =
      isTableAccess
      ? format.tableAccess(update: kind == .write, for: gva)
      : format.finalAccess(kind, isUser: isUser, for: gva)
    guard module.addressing.isShared(gpa), !module.addressing.isTooWide(gpa) else {
      switch module.translate(gpa, kind) {
      case .success(let hpa): return .success((hpa, kind == .write ? .all : [.read, .execute]))
      // A pending page is as an entry that is not there and does not suppress the #VE.
      case .failure(.pending(let gpa, let level)):
        return .failure(.exit(exit(of: gpa, access, entry: 0, at: level)))
      case .failure(.violation(let gpa, let level)):
        return .failure(.exit(exit(of: gpa, access, entry: nonPresent, at: level)))
      }
    }
    let address = module.addressing.stripped(gpa)
    switch second.translate(address, for: access, in: host, Commit()) {
    case .success(let found):
      return .success((found.address, format.permissions(of: found.rights)))
    case .failure(.fault(let exit)):
      let exit = exception(of: exit, adding: module.addressing.sharedBit) ?? .shared(exit)
      return .failure(.exit(exit))
    case .failure(.contended), .failure(.unreadable(.unavailable, _, _)):
      return .failure(.contended)
    case .failure(.unreadable(.outside(let hpa), _, _)): return .failure(.outside(hpa))
    }
  }

  /// What the processor reports of a private address: as EPT does, though its tables are the module's.
  private func exit(
    of gpa: GPA, _ access: Second.Access, entry: UInt64, at level: Level
  ) -> TDXExit<Second.Fault> {
    var rights = second.format.unrestricted
    second.format.narrow(&rights, by: entry, at: level)
    let fault = second.format.fault(
      .notPresent, at: level, gpa, for: access, rights: rights, entry: entry)
    return exception(of: fault, adding: 0) ?? .secure(fault)
  }

  /// The #VE that an exit becomes.
  ///
  /// - Parameter bits: what the guest's address has besides the exit's.
  private func exception(
    of exit: Second.Fault, adding bits: UInt64
  ) -> TDXExit<Second.Fault>? {
    guard var (_, area) = exit.converted(VirtualizationExceptionState(isEnabled: true)) else {
      return nil
    }
    area.gpa |= bits
    return .exception(area, exit.kind)
  }
}
