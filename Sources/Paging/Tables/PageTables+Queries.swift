/// What an entry, or a whole walk, says to an access (SPEC P3).
@frozen
public enum AccessCheck: String, Sendable, Hashable {
  /// Granted.
  case ok
  /// An entry is not present, or the walk cannot begin.
  case notPresent = "not present"
  /// An entry is malformed.
  case reserved
  /// Reads are not granted; x86 tables cannot say so, second-level tables can.
  case readError = "read error"
  /// Writes are not granted.
  case writeError = "write error"
  /// User mode is not granted.
  case userError = "user error"
  /// Fetches are not granted.
  case noExecute = "nx"
  /// A table is not in memory.
  case unreadable
}

extension PageTables {
  /// Translates an address without side effects (SPEC P1).
  @inlinable
  public func translate<Memory: EntryMemory & ~Copyable>(
    _ address: Address<Format.Input>, for access: Format.Access, in memory: borrowing Memory
  ) -> Result<
    Translation<Memory.Space, Format.Rights>, WalkFailure<Format.Fault, Memory.Failure>
  > {
    Walker(format).walk(address, for: access, at: root, in: memory, Probe())
  }

  /// Where the table of a level lies that covers an address, or `nil` where the walk ends before
  /// (SPEC P2).
  @inlinable
  public func table<Memory: EntryMemory & ~Copyable>(
    at level: Level, covering address: Address<Format.Input>, for access: Format.Access,
    in memory: borrowing Memory
  ) -> Address<Memory.Space>? {
    var finder = TableFinder<Format>(level)
    guard case .stopped(let table) = drill(address, for: access, in: memory, &finder) else {
      return nil
    }
    return Address(table)
  }

  /// What one entry alone says to an access (SPEC P3).
  public func check(
    _ entry: Format.Entry, at level: Level, _ kind: AccessKind, isUser: Bool
  ) -> AccessCheck {
    switch format.kind(of: entry, at: level) {
    case .notPresent: return .notPresent
    case .reserved: return .reserved
    case .table, .leaf: break
    }
    var rights = format.unrestricted
    format.narrow(&rights, by: entry, at: level)
    return Self.check(format.permissions(of: rights), kind, isUser: isUser)
  }

  /// What a whole walk says to an access by its entries alone, whatever WP, SMEP or SMAP add
  /// (SPEC P3); `Walker` with `Judge` asks those too.
  public func check<Memory: EntryMemory & ~Copyable>(
    _ address: Address<Format.Input>, _ kind: AccessKind, isUser: Bool,
    for access: Format.Access, in memory: borrowing Memory
  ) -> AccessCheck {
    var checker = WalkChecker(format)
    switch drill(address, for: access, in: memory, &checker) {
    case .stopped(.success(let permissions)):
      return Self.check(permissions, kind, isUser: isUser)
    case .stopped(.failure(let refusal)): return refusal.check
    case .finished, .exhausted: return .notPresent
    }
  }

  /// The size of the page that maps an address, or `nil` (SPEC P4); its name is its description.
  @inlinable
  public func dataPageSize<Memory: EntryMemory & ~Copyable>(
    at address: Address<Format.Input>, for access: Format.Access, in memory: borrowing Memory
  ) -> PageSize? {
    try? translate(address, for: access, in: memory).get().pageSize
  }

  private static func check(
    _ permissions: Permissions, _ kind: AccessKind, isUser: Bool
  ) -> AccessCheck {
    if isUser, !permissions.contains(.user) { return .userError }
    if permissions.contains(kind.permission) { return .ok }
    switch kind {
    case .read: return .readError
    case .write: return .writeError
    case .fetch: return .noExecute
    }
  }
}

/// Stops at the table of a level.
@usableFromInline
struct TableFinder<Format: PagingFormat>: TableVisitor {
  @usableFromInline let level: Level

  @inlinable
  init(_ level: Level) { self.level = level }

  @inlinable
  mutating func enter(_ table: TableVisit<Format>) -> VisitStep<UInt64> {
    table.level == level ? .stop(table.address) : .next
  }

  @inlinable
  mutating func page(_ page: PageVisit<Format>) -> VisitStep<UInt64> { .next }
}

/// Stops with what the walk's entries grant together, or with why it ends.
private struct WalkChecker<Format: PagingFormat>: TableVisitor {
  struct Refusal: Error { let check: AccessCheck }

  let format: Format

  init(_ format: Format) { self.format = format }

  mutating func page(
    _ page: PageVisit<Format>
  ) -> VisitStep<Result<Permissions, Refusal>> {
    .stop(.success(format.permissions(of: page.rights)))
  }

  mutating func reserved(
    _ entry: PageVisit<Format>
  ) -> VisitStep<Result<Permissions, Refusal>> {
    .stop(.failure(Refusal(check: .reserved)))
  }

  mutating func unreadable(
    _ table: TableVisit<Format>, entryAddress: UInt64
  ) -> VisitStep<Result<Permissions, Refusal>> {
    .stop(.failure(Refusal(check: .unreadable)))
  }
}
