public import Paging

/// Why a table cannot be read or marked while modified pages are logged.
enum LoggingFailure: Error {
  case host(HostMemoryError)
  /// No place is left; D stays clear and the write does not happen.
  case full
}

/// Host memory as hardware sees it while it logs modified pages: setting D in a leaf of the second
/// level logs the address that is walked.
///
/// **Source** Intel SDM Vol. 3C, "Page-Modification Logging".
struct LoggingHost<Pacing: MMUPacing>: EntryMemory {
  typealias Space = HostPhysical

  typealias Failure = LoggingFailure

  let host: PacedHost<Pacing>
  let dirtyMask: UInt64
  let gpa: GPA
  let log: ModificationLog

  func load<Entry: TableEntry>(
    _ address: HPA, as type: Entry.Type
  ) -> Result<Entry, Failure> {
    host.load(address, as: type).mapError { .host($0) }
  }

  func compareExchange<Entry: TableEntry>(
    _ address: HPA, expected: Entry, desired: Entry
  ) -> Result<EntryExchange, Failure> {
    let setsDirty = UInt64(desired) & ~UInt64(expected) & dirtyMask != 0
    if setsDirty, log.isFull { return .failure(.full) }
    let result = host.compareExchange(address, expected: expected, desired: desired)
    if setsDirty, case .success(.stored) = result {
      host.pacing.step(.dirtyMarks, isChange: true)
      log.log(gpa)
    }
    return result.mapError { .host($0) }
  }
}

/// `NestedMemory` over `LoggingHost`: each access of the guest's walk logs by its own address.
struct LoggingMemory<Second: SecondLevelFormat, Pacing: MMUPacing>: EntryMemory {
  typealias Space = GuestPhysical
  typealias Failure = WalkFailure<Second.Fault, LoggingFailure>

  let second: FormatRegime<Second>
  let host: PacedHost<Pacing>
  let dirtyMask: UInt64
  let log: ModificationLog
  let gva: GVA?

  func load<Entry: TableEntry>(_ address: GPA, as type: Entry.Type) -> Result<Entry, Failure> {
    walk(address, second.format.tableAccess(update: false, for: gva)).flatMap { found in
      host.load(found.address, as: type).mapError { outside(found.address, $0) }
    }
  }

  func compareExchange<Entry: TableEntry>(
    _ address: GPA, expected: Entry, desired: Entry
  ) -> Result<EntryExchange, Failure> {
    walk(address, second.format.tableAccess(update: true, for: gva)).flatMap { found in
      host.compareExchange(found.address, expected: expected, desired: desired)
        .mapError { outside(found.address, $0) }
    }
  }

  func walk(
    _ address: GPA, _ access: Second.Access
  ) -> Result<Translation<HostPhysical, Second.Rights>, Failure> {
    let memory = LoggingHost(host: host, dirtyMask: dirtyMask, gpa: address, log: log)
    return Walker(second.format).walk(
      address, for: access, at: second.root, in: memory, Commit())
  }

  private func outside(_ address: HPA, _ error: HostMemoryError) -> Failure {
    .unreadable(.host(error), entry: address.rawValue, level: .pageTable)
  }
}

extension TDPMMU {
  /// As `walk`, with the page-modification log.
  @usableFromInline
  func loggingWalk<Guest: TranslationRegime>(
    _ gva: GVA, for access: Guest.Access, by guest: Guest,
    _ second: FormatRegime<Encoder.Format>, on cpu: inout TDPContext
  ) -> Result<HardwareTranslation<Guest.Rights>, HardwareFailure<Guest.Fault, Exit>>
  where Guest.Input == GuestVirtual, Guest.Access: MemoryAccess {
    let memory = LoggingMemory(
      second: second, host: host, dirtyMask: encoder.layout.masks.dirty,
      log: cpu.modificationLog, gva: gva)
    let inner: Translation<GuestPhysical, Guest.Rights>
    switch guest.translate(gva, for: access, in: memory, Commit()) {
    case .success(let translation): inner = translation
    case .failure(.fault(let fault)): return .failure(.guest(fault))
    case .failure(.contended): return .failure(.contended)
    case .failure(.unreadable(.fault(let exit), _, _)):
      return .failure(.exit(delivered(exit, to: guest, on: &cpu)))
    case .failure(.unreadable(let failure, _, _)): return .failure(outer(failure))
    }
    let isUser = guest.permissions(of: inner.rights).contains(.user)
    let final = encoder.format.finalAccess(access.kind, isUser: isUser, for: gva)
    switch memory.walk(inner.address, final) {
    case .failure(.fault(let exit)):
      return .failure(.exit(delivered(exit, to: guest, on: &cpu)))
    case .failure(let failure): return .failure(outer(failure))
    case .success(let found):
      return .success(
        HardwareTranslation(
          hpa: found.address, gpa: inner.address, rights: inner.rights,
          tableRights: inner.tableRights, leaf: inner.leaf,
          hostPermissions: encoder.format.permissions(of: found.rights),
          isDirty: access.kind == .write, guestPageSize: inner.pageSize))
    }
  }

  /// The second level alone, with the page-modification log.
  @usableFromInline
  func loggingWalk(
    _ gpa: GPA, _ access: Encoder.Format.Access, _ second: FormatRegime<Encoder.Format>,
    on cpu: TDPContext
  ) -> Result<HPA?, HardwareFailure<Never, Exit>> {
    let memory = LoggingMemory(
      second: second, host: host, dirtyMask: encoder.layout.masks.dirty,
      log: cpu.modificationLog, gva: nil)
    return memory.walk(gpa, access).map { $0.address }.mapError { outer($0) }
  }

  private func outer<GuestFault: Error>(
    _ failure: WalkFailure<Exit, LoggingFailure>
  ) -> HardwareFailure<GuestFault, Exit> {
    switch failure {
    case .fault(let exit): .exit(exit)
    case .contended, .unreadable(.host(.unavailable), _, _): .contended
    case .unreadable(.host(.outside(let hpa)), _, _): .outside(hpa)
    case .unreadable(.full, _, _): .modificationLogFull
    }
  }
}
