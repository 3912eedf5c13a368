/// What runs behind a second level: a guest's guest, whose tables the hypervisor inside the guest made,
/// or that hypervisor itself, whose addresses are the memslots' own (SPEC F15).
///
/// Both are guests of one shadow MMU, so that tables which the one writes and the other runs on are
/// tracked in one place.
public struct NestedGuest<Format: NestedFormat>: ShadowedGuest {
  /// As the format's.
  public typealias Access = Format.Access
  /// As the format's.
  public typealias Rights = Format.Rights
  /// As the format's.
  public typealias Fault = Format.Fault

  /// What the processor walks, whoever runs.
  public let host: Format
  /// The tables of the hypervisor inside the guest; `nil` while it runs itself.
  public let tables: FormatRegime<Format>?

  /// The hypervisor itself, where `tables` is `nil`, or its guest.
  public init(host: Format, tables: FormatRegime<Format>?) {
    self.host = host
    self.tables = tables
  }

  /// Walks the tables; without any an address stays what it is.
  public func translate<Memory: EntryMemory & ~Copyable, Strategy: WalkStrategy>(
    _ address: GPA, for access: Format.Access, in memory: borrowing Memory,
    _ strategy: inout Strategy
  ) -> Result<
    Translation<Memory.Space, Format.Rights>, WalkFailure<Format.Fault, Memory.Failure>
  > {
    if let tables { return tables.translate(address, for: access, in: memory, &strategy) }
    let rights = host.unrestricted
    return .success(
      Translation(
        address: Address(address.rawValue), pageSize: .size4KiB, level: .pageTable,
        rights: rights, tableRights: rights, leaf: 0))
  }

  /// Asks the format.
  public func permits(
    _ access: Format.Access, rights: Format.Rights, tables: Format.Rights, leaf: UInt64
  ) -> Bool {
    host.permits(access, rights: rights, tables: tables, leaf: leaf)
  }

  /// The rights in the form that all formats share.
  public func permissions(of rights: Format.Rights) -> Permissions {
    host.permissions(of: rights)
  }

  /// The fault of an entry that is not present and grants nothing.
  public func faultForUnreadableTable(
    _ address: GPA, for access: Format.Access, at level: Level
  ) -> Format.Fault {
    let format = tables?.format ?? host
    var rights = format.unrestricted
    format.narrow(&rights, by: 0, at: level)
    return format.fault(.notPresent, at: level, address, for: access, rights: rights, entry: 0)
  }

  /// As the format reads them.
  public var entries: NestedEntries<Format> {
    NestedEntries(format: tables?.format, shadowLevels: host.rootLevel)
  }

  /// The pointer's table.
  public var tableRoot: GuestTableRoot {
    tables.map { .table(GPA($0.root.address)) } ?? .none
  }

  /// No rule of a processor's own paging; whether entries are marked is the tables' choice.
  public var shadowRules: ShadowRules {
    ShadowRules(
      writeProtect: true, smep: false, smap: false, protectionKeys: false, executeDisable: true,
      marksEntries: (tables?.format ?? host).markBits != 0, isNested: tables != nil)
  }

  /// The processor's format, which knows of encryption itself, marking as the tables' own would.
  public func hardware(root: HPA, encryptionMask: UInt64) -> FormatRegime<Format> {
    FormatRegime(
      tables.map { host.walking(like: $0.format) } ?? host,
      root: TableRoot(root))
  }

  /// The exit goes to the hypervisor whose tables refuse.
  public static func outcome(of fault: Format.Fault) -> FaultOutcome {
    .reflect(Format.reflection(of: fault))
  }
}
