import MMU
import Machine
import Paging
import Scenario
import TestSupport
import X86
import X86Guest

/// The tables that vCPU threads share: few enough that they meet, and each entry a cell of its own.
///
/// Two ranges of pages, each with a leaf table. The entry above the first range's table leads to either
/// leaf table, or is a large page; so a translation depends on two cells. Both roots lead to the same
/// tables, and a window shows them all.
struct StressGuest: Sendable {
  /// The pages of each range.
  static let pages: UInt64 = 12
  private static let ranges: UInt64 = 0x4000_0000
  private static let window: UInt64 = 0x8000_0000
  /// Where tables are; the window shows so many pages of it.
  private static let tables = GuestWorld.base
  private static let windowPages: UInt64 = 64
  private static let secondRoot: UInt64 = GuestWorld.base + 0x8000
  private static let data: UInt64 = 0x20_0000

  /// A table entry.
  enum Cell: Hashable, Sendable {
    case leaf(table: Int, page: UInt64)
    /// The entry above the first range, by root.
    case directory(root: Int)
  }

  let mode: X86Mode
  let roots = [GuestWorld.base, Self.secondRoot]
  /// Where each cell is.
  private(set) var places: [Cell: UInt64] = [:]
  /// What the cells hold at the beginning.
  private(set) var initial: [Cell: UInt64] = [:]
  /// What the entry above the first range may hold: either leaf table, or a large page.
  private(set) var directories: [UInt64] = []

  var entrySize: Int { mode == .legacy32 ? 4 : 8 }
  private var span: UInt64 { mode == .legacy32 ? 4 << 20 : 2 << 20 }
  private var largeBase: UInt64 { mode == .legacy32 ? 0 : Self.data }

  /// Builds the tables, and puts every vCPU on the first root.
  init(_ mode: X86Mode, on machine: any ScenarioMachine) throws {
    self.mode = mode
    let view = machine.memory.view
    if mode == .pae {
      // The four registers, for which no editor makes tables.
      for root in roots {
        for index in 0..<4 as Range<UInt64> {
          Self.store(GuestWorld.base + (index + 1) << 12 | 1, at: root + index * 8, 8, view)
        }
      }
    }
    try Self.load(roots[0], on: machine)
    var next = GPA(Self.tables + 0x1_0000)
    func map(_ gva: UInt64, to gpa: UInt64, pages: UInt64, _ permissions: Permissions) throws {
      try machine.processor(0).regime.map(
        GVA(gva), to: GPA(gpa), length: pages << 12, pageSize: .size4KiB,
        permissions: permissions, in: view
      ) {
        defer { next = next.wrappingAdd(4096) }
        return next
      }
    }
    try map(Self.ranges, to: Self.data, pages: Self.pages, .all)
    try map(Self.ranges + span, to: Self.data, pages: Self.pages, .all)
    try map(Self.window, to: Self.tables, pages: Self.windowPages, [.read, .write])
    if mode != .pae {
      for offset in stride(from: 0, to: 4096, by: 8) as StrideTo<UInt64> {
        Self.store(Self.read(roots[0] + offset, 8, view), at: roots[1] + offset, 8, view)
      }
    }
    for root in roots.indices {
      try Self.load(roots[root], on: machine)
      let guest = machine.processor(0)
      for table in 0..<2 {
        for page in 0..<Self.pages {
          let steps = TLBReference.walk(gva(table, page), guest, machine.memory).steps
          places[.leaf(table: table, page: page)] = steps.last?.entryAddress
          if table == 0 {
            places[.directory(root: root)] = steps.dropLast().last?.entryAddress
          }
          if page == 0, root == 0, let entry = steps.dropLast().last?.entry {
            directories.append(entry)
          }
        }
      }
    }
    directories.append(largeBase | 0xE7)
    try Self.load(roots[0], on: machine)
    for (cell, place) in places { initial[cell] = Self.read(place, entrySize, view) }
  }

  private static func load(_ root: UInt64, on machine: any ScenarioMachine) throws {
    for vcpu in 0..<machine.vcpuCount { try machine.setRegister(vcpu, .cr3, root) }
  }

  private static func store(_ value: UInt64, at gpa: UInt64, _ size: Int, _ view: GuestView) {
    let bytes = (0..<size).map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) }
    // SAFETY: an array of bytes has no padding.
    _ = unsafe view.write(bytes.span.bytes, at: GPA(gpa))
  }

  private static func read(_ gpa: UInt64, _ size: Int, _ view: GuestView) -> UInt64 {
    view.read(GPA(gpa), count: size).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// A page of a range.
  func gva(_ range: Int, _ page: UInt64) -> UInt64 {
    Self.ranges + UInt64(range) * span + page << 12
  }

  /// Where the guest sees a cell.
  func gva(of cell: Cell) -> UInt64 { Self.window + (places[cell] ?? 0) - Self.tables }

  /// The cell above the first range as a root's walks read it; in most modes both roots share one.
  func directory(under root: Int) -> Cell {
    places[.directory(root: 0)] == places[.directory(root: root)]
      ? .directory(root: 0) : .directory(root: root)
  }

  /// A cell, and something to write there.
  func randomWrite(_ random: inout SeededGenerator) -> (cell: Cell, value: UInt64) {
    if random.oneIn(8) {
      return (directory(under: random.below(2)), random.pick(directories))
    }
    let cell = Cell.leaf(table: random.below(2), page: random.next() % Self.pages)
    var value: UInt64 = random.oneIn(8) ? 0 : 1
    if !random.oneIn(4) { value |= 2 }
    if !random.oneIn(4) { value |= 4 }
    if random.flip() { value |= 0x20 }
    if random.flip() { value |= 0x40 }
    if mode != .legacy32, random.oneIn(6) { value |= 1 << 63 }
    switch random.below(8) {
    case 0: value |= GuestWorld.extraSlot + UInt64(random.below(4)) << 12
    case 1: value |= 0x4000_0000 + UInt64(random.below(2)) << 12
    default: value |= Self.data + UInt64(random.below(Int(Self.pages))) << 12
    }
    return (cell, value)
  }

  /// Which leaf table an entry above the first range leads to; `nil` for the large page.
  func table(of directory: UInt64) -> Int? {
    let place = directory & ~0x8000_0000_0000_0FFF
    return directory & 0x80 != 0
      ? nil : directories.firstIndex { $0 & ~0x8000_0000_0000_0FFF == place }
  }

  /// What an entry makes of an access.
  func outcome(
    _ entry: UInt64, page: UInt64, isLarge: Bool, _ kind: AccessKind, isUser: Bool
  ) -> StressAccess.Outcome {
    let hasNX = mode != .legacy32
    var code: UInt32 = kind == .write ? 2 : 0
    if isUser { code |= 4 }
    if kind == .fetch, hasNX { code |= 16 }
    if entry & 1 == 0 { return .fault(code) }
    let isRefused =
      (isUser && entry & 4 == 0) || (kind == .write && entry & 2 == 0)
      || (kind == .fetch && hasNX && entry >> 63 != 0)
    if isRefused { return .fault(code | 1) }
    let frame = entry & 0x000F_FFFF_FFFF_F000
    return .done(isLarge ? largeBase + page << 12 : frame)
  }
}

/// What one vCPU saw of one access to a range.
struct StressAccess: Sendable {
  /// How it ended.
  enum Outcome: Hashable, Sendable {
    /// It went to a page.
    case done(UInt64)
    /// A page fault, by its error code.
    case fault(UInt32)
  }

  var vcpu: Int
  var root: Int
  var range: Int
  var page: UInt64
  var kind: AccessKind
  var isUser: Bool
  /// When the vCPU began its last invalidation of the page, and when the access was over.
  var since, end: UInt64
  var outcome: Outcome
}
