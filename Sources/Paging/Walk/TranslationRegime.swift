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
