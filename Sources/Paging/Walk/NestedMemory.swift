/// Guest physical memory as a second level shows it: the whole of two-dimensional paging.
///
/// Every load of a guest table entry is itself a walk of the second level, so a guest walker over
/// this memory is the hardware's 2D walk; a violation or misconfiguration comes back as the memory's
/// failure.
public struct NestedMemory<Second: SecondLevelFormat, Host: EntryMemory>: EntryMemory
where Host.Space == HostPhysical {
  /// Guest tables hold guest physical addresses.
  public typealias Space = GuestPhysical
  /// The exit that an access to a table entry causes.
  public typealias Failure = WalkFailure<Second.Fault, Host.Failure>

  /// The second level.
  public let second: FormatRegime<Second>
  /// The memory that holds its tables and the guest's pages.
  public let host: Host
  /// The address whose walk is under way.
  public let gva: GVA?

  /// The memory a guest's walk reads.
  @inlinable
  public init(second: FormatRegime<Second>, host: Host, gva: GVA?) {
    self.second = second
    self.host = host
    self.gva = gva
  }

  /// Reads an entry through the second level.
  @inlinable
  @inline(__always)  // PERF: walk.2d.4k
  public func load<Entry: TableEntry>(
    _ address: GPA, as type: Entry.Type
  ) -> Result<Entry, Failure> {
    switch walk(address, second.format.tableAccess(update: false, for: gva)) {
    case .failure(let exit): return .failure(exit)
    case .success(let translation):
      return host.load(translation.address, as: type).mapError {
        .unreadable($0, entry: translation.address.rawValue, level: .pageTable)
      }
    }
  }

  /// Writes an A or D bit through the second level.
  @inlinable
  public func compareExchange<Entry: TableEntry>(
    _ address: GPA, expected: Entry, desired: Entry
  ) -> Result<EntryExchange, Failure> {
    switch walk(address, second.format.tableAccess(update: true, for: gva)) {
    case .failure(let exit): return .failure(exit)
    case .success(let translation):
      return host.compareExchange(translation.address, expected: expected, desired: desired)
        .mapError { .unreadable($0, entry: translation.address.rawValue, level: .pageTable) }
    }
  }

  /// The second level's own walk.
  @inlinable
  @inline(__always)
  public func walk(
    _ address: GPA, _ access: Second.Access
  ) -> Result<Translation<HostPhysical, Second.Rights>, Failure> {
    Walker(second.format).walk(address, for: access, at: second.root, in: host, Commit())
  }
}

extension NestedMemory {
  /// The hardware's walk of both levels: the guest's tables, then the page they lead to (SPEC W17).
  @inlinable
  @inline(__always)  // PERF: walk.2d.4k
  public func translate<Guest: TranslationRegime>(
    _ gva: GVA, for access: Guest.Access, by guest: Guest
  ) -> Result<
    NestedTranslation<Guest.Rights, Second.Rights>,
    NestedFailure<Guest.Fault, Second.Fault, Host.Failure>
  > where Guest.Input == GuestVirtual, Guest.Access: MemoryAccess {
    let inner: Translation<GuestPhysical, Guest.Rights>
    switch guest.translate(gva, for: access, in: self, Commit()) {
    case .success(let translation): inner = translation
    case .failure(.fault(let fault)): return .failure(.guest(fault))
    case .failure(.contended): return .failure(.contended)
    case .failure(.unreadable(let exit, _, _)): return .failure(Self.outer(exit))
    }
    let isUser = guest.permissions(of: inner.rights).contains(.user)
    let final = second.format.finalAccess(access.kind, isUser: isUser, for: gva)
    switch walk(inner.address, final) {
    case .success(let translation):
      return .success(NestedTranslation(guest: inner, host: translation))
    case .failure(let exit): return .failure(Self.outer(exit))
    }
  }

  @inlinable
  static func outer<GuestFault: Error>(
    _ failure: Failure
  ) -> NestedFailure<GuestFault, Second.Fault, Host.Failure> {
    switch failure {
    case .fault(let exit): .exit(exit)
    case .unreadable(let failure, _, _): .unreadable(failure)
    case .contended: .contended
    }
  }
}
