/// How one kind of page table is laid out and what its bits mean.
///
/// A format is a value: one mode of one architecture with its registers' effect folded into masks.
/// It knows entries, rights and faults, and nothing of memory; `Walker` knows memory and order, and
/// nothing of bits. The protocol has no x86 in it: rights, accesses and faults are the format's own.
public protocol PagingFormat: Sendable {
  /// The space of the addresses that are translated.
  associatedtype Input: AddressKind
  /// The width of an entry.
  associatedtype Entry: TableEntry
  /// Where a walk begins: a table's address, or registers that hold the top level.
  associatedtype Root: Sendable
  /// What is asked of an address.
  associatedtype Access: Sendable
  /// What the entries read so far grant together.
  associatedtype Rights: Sendable, BitwiseCopyable
  /// What the hardware reports when it refuses.
  associatedtype Fault: Error, Sendable

  /// The address that is translated: what was given, without the bits that this access ignores
  /// (pointer tags).
  ///
  /// Asked once, before anything else; all other members, and the fault, get the answer.
  func untagged(_ address: Address<Input>, for access: Access) -> Address<Input>

  /// Checks the address and finds the first table to read.
  func start(_ address: Address<Input>, for access: Access, at root: Root) -> WalkStart

  /// The number of the entry of a table at `level` that covers the address.
  func index(of address: UInt64, at level: Level) -> UInt64

  /// What an entry is. Presence is judged before reserved bits.
  func kind(of entry: Entry, at level: Level) -> EntryKind

  /// The address of the table that a `.table` entry points to.
  func table(in entry: Entry, at level: Level) -> UInt64

  /// The page that a `.leaf` entry maps.
  func page(in entry: Entry, at level: Level) -> PageFrame

  /// Everything granted, before any entry is read.
  var unrestricted: Rights { get }

  /// Takes away what an entry does not grant.
  func narrow(_ rights: inout Rights, by entry: Entry, at level: Level)

  /// Judges an access on the whole walk.
  ///
  /// - Parameters:
  ///   - access: what is asked.
  ///   - rights: what all entries grant together, with the leaf.
  ///   - tables: what the entries above the leaf grant.
  ///   - leaf: the leaf entry.
  func permits(_ access: Access, rights: Rights, tables: Rights, leaf: Entry) -> Bool

  /// The entry with its accessed bit, and in the leaf of a write its dirty bit, set as hardware
  /// would for this access; the entry unchanged where nothing is to be set.
  func marked(_ entry: Entry, at level: Level, isLeaf: Bool, by access: Access) -> Entry

  /// Whether an entry of a walk may still lack a bit that `marked` sets; asked once, of a walk that is
  /// granted. A wrong yes costs a second look at each entry, a wrong no loses the bit.
  func mayBeUnmarked(_ rights: Rights, leaf: Entry, by access: Access) -> Bool

  /// What hardware reports for a walk that ended badly.
  ///
  /// - Parameters:
  ///   - cause: why it ended.
  ///   - level: at which level; for a bad address the root's.
  ///   - address: what was to be translated.
  ///   - access: what was asked.
  ///   - rights: what was granted up to and including the entry that ended the walk.
  ///   - entry: that entry; 0 for a bad address.
  func fault(
    _ cause: FaultCause, at level: Level, _ address: Address<Input>, for access: Access,
    rights: Rights, entry: Entry
  ) -> Fault

  /// The rights in the form that all formats share.
  func permissions(of rights: Rights) -> Permissions

  /// The field's name of an entry at a level, such as `PDE`.
  func entryName(at level: Level) -> String
}

extension PagingFormat {
  /// Every bit counts.
  @inlinable
  @inline(__always)
  public func untagged(_ address: Address<Input>, for access: Access) -> Address<Input> { address }

  /// Not known.
  @inlinable
  public func mayBeUnmarked(_ rights: Rights, leaf: Entry, by access: Access) -> Bool { true }
}
