/// A format whose whole address space can be visited: it says where its tables begin.
///
/// What an entry covers follows from `index(of:at:)`, which is a run of address bits in every format.
/// In every format an entry of zeros is not present.
public protocol EnumerablePagingFormat: PagingFormat {
  /// The tables that a root names, in address order: one, or PAE's up to four.
  func rootTables(of root: Root) -> RootTables
  /// The address whose low bits are given, as an access has it: sign-extended where the format
  /// wants canonical addresses.
  func extended(_ address: UInt64) -> Address<Input>
  /// What the entries of a table cover, and how many there are; by default as `index(of:at:)` says.
  func shape(at level: Level) -> TableShape
}

extension EnumerablePagingFormat {
  /// The low bits alone.
  @inlinable
  public func extended(_ address: UInt64) -> Address<Input> { Address(address) }

  /// What the entries of a table cover, and how many there are.
  @inlinable
  public func shape(at level: Level) -> TableShape {
    // The lowest address bit that moves the index is the first of its run.
    var shift = 0
    while shift < 63, index(of: 1 &<< UInt64(shift), at: level) == 0 { shift &+= 1 }
    return TableShape(entryShift: shift, count: Int(index(of: ~0, at: level)) &+ 1)
  }
}
