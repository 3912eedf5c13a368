/// One format walked from one root.
@frozen
public struct FormatRegime<Format: PagingFormat>: TranslationRegime {
  /// As the format's.
  public typealias Input = Format.Input
  /// As the format's.
  public typealias Access = Format.Access
  /// As the format's.
  public typealias Rights = Format.Rights
  /// As the format's.
  public typealias Fault = Format.Fault

  /// The format.
  public let format: Format
  /// Where its walks begin.
  public let root: Format.Root

  /// A format and its root.
  @inlinable
  public init(_ format: Format, root: Format.Root) {
    self.format = format
    self.root = root
  }

  /// Walks the format's tables.
  @inlinable
  @inline(__always)
  public func translate<Memory: EntryMemory & ~Copyable, Strategy: WalkStrategy>(
    _ address: Address<Format.Input>, for access: Format.Access, in memory: borrowing Memory,
    _ strategy: inout Strategy
  ) -> Result<
    Translation<Memory.Space, Format.Rights>, WalkFailure<Format.Fault, Memory.Failure>
  > {
    Walker(format).walk(address, for: access, at: root, in: memory, &strategy)
  }

  /// Asks the format.
  @inlinable
  @inline(__always)  // PERF: tlb.hit
  public func cachedAddress(
    of address: Address<Format.Input>, for access: Format.Access
  ) -> Address<Format.Input>? {
    let address = format.untagged(address, for: access)
    guard case .table = format.start(address, for: access, at: root) else { return nil }
    return address
  }

  /// Asks the format.
  @inlinable
  public func permits(
    _ access: Format.Access, rights: Format.Rights, tables: Format.Rights, leaf: UInt64
  ) -> Bool {
    format.permits(
      access, rights: rights, tables: tables, leaf: Format.Entry(truncatingIfNeeded: leaf))
  }

  /// Asks the format.
  @inlinable
  public func permissions(of rights: Format.Rights) -> Permissions {
    format.permissions(of: rights)
  }

  /// The fault of an entry that is not present.
  public func faultForUnreadableTable(
    _ address: Address<Format.Input>, for access: Format.Access, at level: Level
  ) -> Format.Fault {
    format.fault(
      .notPresent, at: level, address, for: access, rights: format.unrestricted, entry: 0)
  }
}
