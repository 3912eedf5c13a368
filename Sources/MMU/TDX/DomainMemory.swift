import Paging
import X86TDX

/// Guest physical memory as a trust domain's processor sees it.
struct DomainMemory<Second: SecondLevelFormat>: EntryMemory
where Second.Fault: SecondLevelExit, Second.Root == TableRoot {
  typealias Space = GuestPhysical
  typealias Failure = HardwareFailure<Never, TDXExit<Second.Fault>>

  let second: FormatRegime<Second>
  let host: HostView
  let module: TDXModule
  let gva: GVA

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
    guard module.addressing.isShared(gpa), !module.addressing.isTooWide(gpa) else {
      switch module.translate(gpa, kind) {
      case .success(let hpa): return .success((hpa, kind == .write ? .all : [.read, .execute]))
      case .failure(.pending(let gpa, _)): return .failure(.exit(.exception(gpa, kind, gva)))
      case .failure(.violation(let gpa, _)):
        return .failure(.exit(.secure(gpa, kind, gva, isTableAccess: isTableAccess)))
      }
    }
    let format = second.format
    let access =
      isTableAccess
      ? format.tableAccess(update: kind == .write, for: gva)
      : format.finalAccess(kind, isUser: isUser, for: gva)
    let address = module.addressing.stripped(gpa)
    switch second.translate(address, for: access, in: host, Commit()) {
    case .success(let found):
      return .success((found.address, format.permissions(of: found.rights)))
    case .failure(.fault(let exit)):
      return .failure(
        .exit(exit.isConvertible ? .exception(address, kind, gva) : .shared(exit)))
    case .failure(.contended), .failure(.unreadable(.unavailable, _, _)):
      return .failure(.contended)
    case .failure(.unreadable(.outside(let hpa), _, _)): return .failure(.outside(hpa))
    }
  }
}
