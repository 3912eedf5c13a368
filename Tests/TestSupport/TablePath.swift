import Paging

/// One path of x86 tables through a test memory: the table of level n lies at n × 0x1000.
///
/// PAE has its top level in registers: `machine.pdptes`, all four naming the directory.
package struct TablePath {
  /// What holds the tables.
  package let memory = GuestTestMemory()
  /// The registers; tests change them at will.
  package var machine = ReferenceMachine()
  /// The address that the path leads to.
  package var address: UInt64
  /// The level of the leaf.
  package let leafLevel: Int
  private let mode: ReferenceMachine.Mode

  /// P, R/W, U/S: what `tables` and `leaf` are unless told otherwise.
  package static let userFlags: UInt64 = 0x7

  /// A path of present, writable user tables to one leaf.
  ///
  /// - Parameters:
  ///   - leaf: the leaf entry's flags; PS is added above level 1.
  ///   - page: the leaf's address bits.
  ///   - tables: the flags of the entries above.
  package init(
    _ mode: ReferenceMachine.Mode, address: UInt64 = 0x12_3456, leafLevel: Int = 1,
    leaf: UInt64 = Self.userFlags, page: UInt64 = 0x4000_0000, tables: UInt64 = Self.userFlags
  ) {
    self.mode = mode
    self.address = address
    self.leafLevel = leafLevel
    machine.cr0 = 0x8001_0001
    machine.efer = 1 << 11
    machine.width = 40
    switch mode {
    case .none: machine.cr0 = 1
    case .legacy32: machine.cr4 = 1 << 4
    case .pae:
      machine.cr4 = 1 << 5
      machine.pdptes = Array(repeating: 0x2001, count: 4)
    case .long4, .long5:
      machine.cr4 = mode == .long5 ? 1 << 5 | 1 << 12 : 1 << 5
      machine.efer |= 0x500
    }
    machine.cr3 = UInt64(levels) << 12
    for level in 1...5 { memory.back(UInt64(level) << 12) }
    guard mode != .none else { return }
    for level in stride(from: levels, to: leafLevel, by: -1) {
      set(level, UInt64(level - 1) << 12 | tables)
    }
    set(leafLevel, page | leaf | (leafLevel > 1 ? 0x80 : 0))
    memory.resetCounts()
  }

  /// How many levels lie in memory.
  package var levels: Int {
    switch mode {
    case .long5: 5
    case .long4: 4
    default: 2
    }
  }

  /// Where the path's entry of a level is.
  package func place(_ level: Int) -> UInt64 {
    let shift = UInt64(mode == .legacy32 ? 2 + 10 * level : 3 + 9 * level)
    let index = address >> shift & (mode == .legacy32 ? 0x3FF : 0x1FF)
    return (UInt64(level) << 12) + index * (mode == .legacy32 ? 4 : 8)
  }

  /// The path's entry of a level.
  package func entry(_ level: Int) -> UInt64 {
    mode == .legacy32
      ? UInt64(memory.peek(place(level), as: UInt32.self))
      : memory.peek(place(level), as: UInt64.self)
  }

  /// Writes the path's entry of a level.
  package func set(_ level: Int, _ entry: UInt64) {
    if mode == .legacy32 {
      memory.poke(place(level), UInt32(truncatingIfNeeded: entry))
    } else {
      memory.poke(place(level), entry)
    }
  }

  /// All entries, the leaf's first.
  package var entries: [UInt64] { (leafLevel...levels).map(entry) }
}
