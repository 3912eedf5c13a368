/// All that decides what an address means to one processor now: formats and roots, the registers'
/// effect included.
///
/// A format with its root is a regime (`FormatRegime`), and so is a processor that changes formats at
/// run time (`X86Regime`): such a one switches once per walk, outside the loop.
public protocol TranslationRegime: Sendable {
  /// The space of the addresses that are translated.
  associatedtype Input: AddressKind
  /// What is asked of an address.
  associatedtype Access: Sendable
  /// What entries grant.
  associatedtype Rights: Sendable, BitwiseCopyable
  /// What the hardware reports when it refuses.
  associatedtype Fault: Error, Sendable

  /// Walks the tables for one address.
  func translate<Memory: EntryMemory & ~Copyable, Strategy: WalkStrategy>(
    _ address: Address<Input>, for access: Access, in memory: borrowing Memory,
    _ strategy: inout Strategy
  ) -> Result<Translation<Memory.Space, Rights>, WalkFailure<Fault, Memory.Failure>>

  /// Judges an access by rights that an earlier walk found, as a TLB hit does.
  func permits(_ access: Access, rights: Rights, tables: Rights, leaf: UInt64) -> Bool

  /// The rights in the form that all formats share.
  func permissions(of rights: Rights) -> Permissions

  /// What the guest is told where the memory that should hold a table entry is not there (SPEC W14).
  func faultForUnreadableTable(
    _ address: Address<Input>, for access: Access, at level: Level
  ) -> Fault

  /// The address under which a TLB keeps the translation: without the bits that the access ignores;
  /// `nil` where the address or a register refuses the access before any table is read, whatever is
  /// cached.
  func cachedAddress(of address: Address<Input>, for access: Access) -> Address<Input>?

  /// Which address space TLB entries belong to: the PCID on x86; 0 where there is one alone.
  var addressSpaceTag: UInt16 { get }

  /// Whether a leaf's translation is shared by all address spaces.
  func isGlobal(leaf: UInt64) -> Bool

  /// Which memory type a leaf chooses, as the format numbers them: the entry of IA32_PAT on x86.
  func memoryType(ofLeaf leaf: UInt64, at level: Level) -> Int

  /// Whether the processor is in a state to take an exception that the second level raises (CR0.PE for
  /// the #VE of x86).
  var takesSecondLevelExceptions: Bool { get }
}

extension TranslationRegime {
  /// The address as it is.
  @inlinable
  public func cachedAddress(
    of address: Address<Input>, for access: Access
  ) -> Address<Input>? { address }

  /// One address space.
  @inlinable
  public var addressSpaceTag: UInt16 { 0 }

  /// Nothing is shared.
  @inlinable
  public func isGlobal(leaf: UInt64) -> Bool { false }

  /// There is one alone.
  public func memoryType(ofLeaf leaf: UInt64, at level: Level) -> Int { 0 }

  /// Always.
  @inlinable
  public var takesSecondLevelExceptions: Bool { true }

  /// Walks the tables for one address with a strategy that keeps nothing.
  @inlinable
  @inline(__always)  // PERF: walk.checked.random; a result that crosses a call goes through memory.
  public func translate<Memory: EntryMemory & ~Copyable, Strategy: WalkStrategy>(
    _ address: Address<Input>, for access: Access, in memory: borrowing Memory,
    _ strategy: Strategy
  ) -> Result<Translation<Memory.Space, Rights>, WalkFailure<Fault, Memory.Failure>> {
    var strategy = strategy
    return translate(address, for: access, in: memory, &strategy)
  }
}

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
