/// A guest whose tables software can shadow: what a shadow MMU asks beyond walking.
///
/// The shadow MMU knows tables, rights in the shared form and memory; which bits of an entry mean what,
/// and how the processor itself walks the shadow, the guest's architecture says. The tables are those
/// of a processor (`ShadowedProcessor`) or those that a hypervisor inside the guest made for a guest
/// of its own (`NestedGuest`).
public protocol ShadowedGuest: TranslationRegime where Access: MemoryAccess {
  /// How entries of its tables are read.
  associatedtype Entries: GuestEntryFormat
  /// The processor's own walk of shadow tables while this guest runs.
  associatedtype Hardware: TranslationRegime
  where
    Hardware.Input == Input, Hardware.Access == Access, Hardware.Rights == Rights,
    Hardware.Fault == Fault

  /// How entries are read now.
  var entries: Entries { get }
  /// Where its walks begin now.
  var tableRoot: GuestTableRoot { get }
  /// The rules that change what a shadow entry may hold.
  var shadowRules: ShadowRules { get }
  /// The processor's view of a shadow table as its root.
  ///
  /// - Parameters:
  ///   - root: where the tables begin.
  ///   - encryptionMask: the address bits that say how the host's memory is encrypted.
  func hardware(root: HPA, encryptionMask: UInt64) -> Hardware
  /// What becomes of an access that its tables refuse.
  static func outcome(of fault: Fault) -> FaultOutcome
}

/// A processor whose own page tables are shadowed: a refusal is an exception that it takes itself.
public protocol ShadowedProcessor: ShadowedGuest where Input == GuestVirtual {
  /// The address as the processor translates it: without tags, wrapped in 32-bit modes.
  func linear(_ gva: GVA, for access: Access) -> GVA
  /// A fault as the processor reports it.
  static func exception(of fault: Fault) -> GuestException
}

extension ShadowedProcessor {
  /// The exception is raised in the guest.
  public static func outcome(of fault: Fault) -> FaultOutcome {
    let exception = exception(of: fault)
    return .inject(vector: exception.vector, errorCode: exception.errorCode)
  }
}

/// How entries of a guest's tables are read, as a value that tells formats apart.
///
/// Equal values read every entry alike: shadow pages made under one serve all.
public protocol GuestEntryFormat: Hashable, Sendable {
  /// 4 or 8; 0 where the guest has no tables. **Units** bytes.
  var entrySize: Int { get }
  /// The level of the highest table that is in memory; 0 where the guest has none.
  var topLevel: Level { get }
  /// The levels of the shadow, 4 or 5.
  var shadowLevels: Level { get }
  /// The bits of an entry in which the processor marks accesses and writes.
  var markBits: UInt64 { get }
  /// Whether a fault that the processor takes on a shadow entry that is not present is the guest's own
  /// to the last bit, where the guest's entry is not present either (SPEC E19).
  var canFaultByItself: Bool { get }
  /// Reads an entry.
  func decode(_ entry: UInt64, at level: Level) -> GuestEntry
}

extension GuestEntryFormat {
  /// Not as far as is known.
  @inlinable
  public var canFaultByItself: Bool { false }
}

/// An entry of a guest's table, read.
@frozen
public struct GuestEntry: Sendable, Hashable {
  /// What it is.
  public var kind: EntryKind
  /// The table or page it points to; 0 unless it points anywhere.
  public var base: GPA
  /// The size of the page that a leaf maps.
  public var pageSize: PageSize
  /// What it grants by itself.
  public var permissions: Permissions
  /// Whether it is marked as used.
  public var isAccessed: Bool
  /// Whether a leaf is marked as written.
  public var isDirty: Bool
  /// The protection key of a leaf.
  public var protectionKey: UInt8

  /// An entry.
  @inlinable
  public init(
    kind: EntryKind, base: GPA = GPA(0), pageSize: PageSize = .size4KiB,
    permissions: Permissions = [], isAccessed: Bool = false, isDirty: Bool = false,
    protectionKey: UInt8 = 0
  ) {
    self.kind = kind
    self.base = base
    self.pageSize = pageSize
    self.permissions = permissions
    self.isAccessed = isAccessed
    self.isDirty = isDirty
    self.protectionKey = protectionKey
  }
}

extension GuestEntry {
  /// An entry as a format reads it; marks and key are left to those who know where they are.
  @inlinable
  public init<Format: PagingFormat>(
    _ entry: Format.Entry, at level: Level, in format: Format
  ) {
    self.init(kind: format.kind(of: entry, at: level))
    switch kind {
    case .notPresent, .reserved: return
    case .table: base = GPA(format.table(in: entry, at: level))
    case .leaf:
      let page = format.page(in: entry, at: level)
      base = GPA(page.base)
      pageSize = page.size
    }
    var rights = format.unrestricted
    format.narrow(&rights, by: entry, at: level)
    permissions = format.permissions(of: rights)
  }
}

/// Where a guest's walks begin.
@frozen
public enum GuestTableRoot: Sendable, Hashable {
  /// No tables: addresses are physical.
  case none
  /// A table in memory.
  case table(GPA)
  /// Four registers that hold the entries above the highest table in memory (PAE).
  case registers(SIMD4<UInt64>)

  /// The table, where there is one.
  public var table: GPA? {
    if case .table(let gpa) = self { return gpa }
    return nil
  }
}

/// The rules that change what a shadow entry may hold.
@frozen
public struct ShadowRules: Sendable, Hashable {
  /// Supervisor writes respect read-only pages (CR0.WP).
  public var writeProtect: Bool
  /// The supervisor may not execute user pages.
  public var smep: Bool
  /// The supervisor's use of user pages is judged anew at each access (SMAP).
  public var smap: Bool
  /// Pages have protection keys.
  public var protectionKeys: Bool
  /// Entries can forbid execution (EFER.NXE).
  public var executeDisable: Bool
  /// The processor marks the entries that it uses, where it can (EPTP bit 6).
  public var marksEntries: Bool
  /// The guest runs inside the guest: what it writes is not what the host's processor would log.
  public var isNested: Bool

  /// Rules.
  @inlinable
  public init(
    writeProtect: Bool, smep: Bool, smap: Bool, protectionKeys: Bool, executeDisable: Bool,
    marksEntries: Bool = true, isNested: Bool = false
  ) {
    self.marksEntries = marksEntries
    self.isNested = isNested
    self.writeProtect = writeProtect
    self.smep = smep
    self.smap = smap
    self.protectionKeys = protectionKeys
    self.executeDisable = executeDisable
  }
}

/// An exception as it is raised in a guest.
@frozen
public struct GuestException: Sendable, Hashable {
  /// The vector.
  public var vector: UInt8
  /// The error code.
  public var errorCode: UInt32
  /// Whether a translation failed, and not the address itself.
  public var isPageFault: Bool
  /// Whether a malformed entry caused it.
  public var isMalformed: Bool

  /// An exception.
  @inlinable
  public init(vector: UInt8, errorCode: UInt32, isPageFault: Bool, isMalformed: Bool) {
    self.vector = vector
    self.errorCode = errorCode
    self.isPageFault = isPageFault
    self.isMalformed = isMalformed
  }
}
