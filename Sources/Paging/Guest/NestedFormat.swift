/// A second level that a hypervisor inside the guest can make for a guest of its own.
///
/// Its tables are not what the processor walks: ours are, which follow them. So the format is read as
/// any shadowed guest's, and a refusal of its entries is an exit that this hypervisor must get.
public protocol NestedFormat: SecondLevelFormat, EditablePagingFormat, Hashable
where Entry == UInt64, Root == TableRoot, Access: MemoryAccess, Fault: SecondLevelExit {
  /// The level of a root table's entries.
  var rootLevel: Level { get }
  /// The size of a root table, which begins at a multiple of it. **Units** bytes, at most 4,096.
  var rootTableSize: UInt64 { get }
  /// The bits of an entry in which the processor marks accesses and writes; 0 where it marks none.
  var markBits: UInt64 { get }

  /// Whether a processor with `host` as its format can run this one's guests: it has at least the same
  /// levels, page sizes and flags.
  func isContained(in host: Self) -> Bool

  /// What a pointer (EPTP, nested CR3) selects: the format as its flags have it, and the root table;
  /// `nil` where entering the guest would fail.
  func selected(by pointer: UInt64) -> (format: Self, root: TableRoot)?

  /// This format, of the processor itself, as it must walk our tables so that its exits tell what a
  /// processor that walked the guest's would.
  func walking(like guest: Self) -> Self

  /// Reads an entry.
  func read(_ entry: Entry, at level: Level) -> GuestEntry

  /// The access of an exit; `nil` where the processor does not tell which it was.
  func access(of exit: Fault) -> Access?

  /// The exit as the hypervisor inside the guest gets it.
  static func reflection(of exit: Fault) -> ReflectedExit
}

extension NestedFormat {
  /// A page.
  public var rootTableSize: UInt64 { 4096 }
}
