import Foundation
import MMU
import Machine
import MachineSupport
import Paging
import TestSupport
import Testing
import X86
import X86EPT
import X86NPT

@Suite("Three levels under random tables")
struct NestedPropertyTests {
  /// Operations of one run; `MMU_PROPERTY_OPERATIONS` asks for more.
  static var operations: Int {
    let asked = ProcessInfo.processInfo.environment["MMU_PROPERTY_OPERATIONS"].flatMap { Int($0) }
    #if DEBUG
    return asked ?? 1_200
    #else
    return asked ?? 30_000
    #endif
  }

  /// The seeds; `MMU_PROPERTY_SEED` asks for one of its own.
  static var seeds: [UInt64] {
    let asked = ProcessInfo.processInfo.environment["MMU_PROPERTY_SEED"].flatMap { UInt64($0) }
    return asked.map { [$0] } ?? [1, 2]
  }

  static let options = [
    ShadowOptions(), ShadowOptions(allowsUnsync: false, prefetchWindow: 1),
    ShadowOptions(prefetchWindow: 32, usesModificationLog: true),
  ]

  @Test("F15 a guest's guest on EPT ends as its walk of both levels does", arguments: 0..<6)
  func ept(number: Int) throws {
    let encoder = try EPTEncoder(
      EPTCapabilities(physicalAddressWidth: 46, levels: number % 2 == 0 ? 4 : 5))
    let inner = EPTFormat(
      EPTCapabilities(physicalAddressWidth: 46, executeOnly: number < 3))
    try run(encoder, inner, number)
  }

  @Test(
    "F15 a guest's guest on nested paging ends as its walk of both levels does", arguments: 0..<6)
  func npt(number: Int) throws {
    let encoder = try NPTEncoder(
      NPTCapabilities(physicalAddressWidth: 46, form: number % 2 == 0 ? .long4 : .long5))
    try run(encoder, NPTFormat(NPTCapabilities(physicalAddressWidth: 46)), number)
  }

  @Test("F15 so does one on the PAE form of nested paging", arguments: 0..<6)
  func pae(number: Int) throws {
    let encoder = try NPTEncoder(
      NPTCapabilities(physicalAddressWidth: 46, form: number % 2 == 0 ? .long4 : .long5))
    let inner = NPTFormat(NPTCapabilities(physicalAddressWidth: 46, form: .pae))
    try run(encoder, inner, number)
  }

  @Test("W16 F15 of an honest hypervisor's MMU no forgotten flush is told", arguments: 0..<3)
  func staleTranslations(number: Int) throws {
    let encoder = try EPTEncoder(EPTCapabilities(physicalAddressWidth: 46))
    var run = try RandomNesting(
      encoder, encoder.format, Self.options[number], tablePages: number == 2 ? 24 : 2000,
      backing: .size4KiB, seed: 7 &+ UInt64(number), findsStaleTranslations: true)
    for _ in 0..<600 { try run.step() }
    let ledger = try #require(run.rig.machine.ledger)
    #expect(ledger.counts[.mmu] == nil, "\(ledger.take().findings.filter { $0.verdict == .mmu })")
    // Tables that are never out of step leave nothing to flush.
    let isStale = ledger.counts[.hypervisor, default: 0] > 0
    #expect(isStale == Self.options[number].allowsUnsync, "\(ledger.counts)")
  }

  private func run<Encoder: NestedTables>(
    _ encoder: Encoder, _ inner: Encoder.Format, _ number: Int
  ) throws {
    var outcomes: [String: Int] = [:]
    for seed in Self.seeds {
      let options = Self.options[number % 3]
      var run = try RandomNesting(
        encoder, inner, options, tablePages: number == 2 ? 24 : 2000,
        backing: number < 3 ? .size2MiB : .size4KiB, seed: seed &+ UInt64(number) << 32)
      do {
        for _ in 0..<Self.operations / 2 { try run.step() }
      } catch {
        Issue.record("case \(number), seed \(seed), operation \(run.count): \(error)")
      }
      let counters = run.rig.machine.counters
      print(
        "\(encoder.layout.name) case \(number) seed \(seed): \(run.outcomes),"
          + " \(run.staleUses) stale, \(counters.fixed) fixed, \(counters.unsynced) unsynced,"
          + " \(counters.synced) synced, \(counters.recycled) recycled, \(counters.flooded) flooded,"
          + " \(counters.mmioCached) MMIO cached")
      outcomes.merge(run.outcomes) { $0 + $1 }
      #expect(run.unknown < run.count / 100, "\(run.unknown) of \(run.count) not judged")
    }
    // A run that does little proves little; one seed alone, asked for to see a failure again, may.
    guard Self.seeds.count > 1 else { return }
    #expect(Encoder.suppressBit == 0 || outcomes["exception", default: 0] > 0, "\(outcomes)")
    for outcome in ["memory", "reflected", "mmio", "fault"] {
      #expect(outcomes[outcome, default: 0] > Self.operations / 300, "\(outcome): \(outcomes)")
    }
  }
}

/// One run of random operations, each checked against the walk of both levels over the memslots.
struct RandomNesting<Encoder: NestedTables> {
  struct Difference: Error, CustomStringConvertible {
    let description: String
  }

  let rig: NestedRig<Encoder>
  var random: SeededGenerator
  var count = 0
  var outcomes: [String: Int] = [:]
  var staleUses = 0
  /// Accesses that could not be judged.
  var unknown = 0
  /// What words held since the last INVEPT, besides what they hold: what may still be cached.
  private var history: [UInt64: Set<UInt64>] = [:]
  private var pointer: UInt64
  /// Of the hypervisor's tables, 3 or 4.
  private let levels: Int
  /// The hypervisor's tables, by level; page n is at 1 MiB + n × 4 KiB.
  private let tables: [Int: [UInt64]]
  /// The inner guest's memory: its page tables from page 1, its data after them; a second 2 MiB, and
  /// under tables of four entries other GiB.
  private let frames: [UInt64]
  /// Whether the inner guest takes #VE.
  private var takesExceptions = true

  init(
    _ encoder: Encoder, _ inner: Encoder.Format, _ options: ShadowOptions, tablePages: Int,
    backing: PageSize, seed: UInt64, findsStaleTranslations: Bool = false
  ) throws {
    rig = try NestedRig(
      encoder, inner: inner, backing: backing, tablePages: tablePages, options: options,
      findsStaleTranslations: findsStaleTranslations)
    random = SeededGenerator(seed: seed)
    levels = inner.rootLevel.rawValue
    let isPAE = levels == 3
    tables =
      [2: [3, 4], 1: [5, 6, 7]].merging(isPAE ? [3: [0, 1]] : [4: [0, 1], 3: [2]]) { $1 }
    frames = Array(0..<12) + [512, 515] + (isPAE ? [0x4_0003, 0xC_0005] : [])
    pointer = 0
    pointer = root(0, marking: true)
    for level in 1...levels {
      for table in tables[level] ?? [] {
        for frame in frames {
          rig.poke(
            place(table, index(of: frame, at: level), at: level), entry(at: level, frame))
        }
      }
    }
    rig.poke(0x20_1000, 0x2067)
    rig.poke(0x20_2000, 0x3067)
    rig.poke(0x20_3000, 0x4067)
    for page in 0..<16 as Range<UInt64> { rig.poke(0x20_4000 + page * 8, innerEntry()) }
    _ = rig.machine.vcpu(1, selectSecondLevel: pointer)
    rig.machine.vcpu(1, takesExceptionsIn: NestedRig<Encoder>.exceptionArea)
  }

  private func index(of frame: UInt64, at level: Int) -> UInt64 {
    (frame << 12) >> UInt64(3 + 9 * level) & 511
  }

  private func place(_ table: UInt64, _ index: UInt64, at level: Int) -> UInt64 {
    0x10_0000 + table << 12 + index * 8 + (level == levels ? offset(of: table) : 0)
  }

  /// Where a root table of four entries begins in its page.
  private func offset(of table: UInt64) -> UInt64 { levels == 3 ? 0x7E0 + table * 0x820 : 0 }

  private func root(_ table: UInt64, marking: Bool) -> UInt64 {
    Encoder.pointer(0x10_0000 + table << 12 + offset(of: table), marking: marking)
  }

  /// An entry of the hypervisor's: mostly generous where the inner guest's page tables are, so that
  /// walks arrive; hostile now and then.
  private mutating func entry(at level: Int, _ frame: UInt64) -> UInt64 {
    plainEntry(at: level, frame) | (random.oneIn(3) ? Encoder.suppressBit : 0)
  }

  private mutating func plainEntry(at level: Int, _ frame: UInt64) -> UInt64 {
    let isTable = (1...4).contains(frame)
    let rarity: UInt64 = level > 1 || isTable ? 40 : 3
    if random.oneIn(rarity * 4) { return 0 }
    if level == 3, levels == 3 {
      let table = 0x10_0000 + random.pick(tables[2] ?? []) << 12
      return table | 1 | (random.oneIn(rarity * 4) ? random.pick([2, 4, 0x20, 0x80]) : 0)
    }
    var granted: Permissions = .all
    if random.oneIn(rarity) { granted.remove(.write) }
    if random.oneIn(rarity * 2) { granted.remove(.execute) }
    if random.oneIn(rarity * 3) { granted.subtract([.read, .write]) }
    if random.oneIn(rarity * 5) { granted.remove(.user) }
    if level > 1, !(level == 2 && random.oneIn(6)) {
      let table = random.pick(tables[level - 1] ?? [])
      return Encoder.tableEntry(0x10_0000 + table << 12, granting: granted)
        | (random.flip() ? marks & 0x120 : 0) | (random.oneIn(rarity * 8) ? 1 << 50 : 0)
    }
    if level == 2 {
      // 2 MiB that hold the hypervisor's tables, the inner guest's memory, or nothing.
      let others: [UInt64] = [0, 0x20_0000, 0x20_0000, 0x400_0000]
      let base = frame < 512 && !random.oneIn(30) ? 0x20_0000 : random.pick(others)
      return unmarked(Encoder.leafEntry(base, granting: granted, level: 2))
    }
    let target: UInt64
    if isTable {
      target = 0x20_0000 + frame << 12
    } else {
      switch random.below(12) {
      case 0: target = 0x10_0000 + UInt64(random.below(8)) << 12
      case 1: target = NestedRig<Encoder>.readOnly + UInt64(random.below(2)) << 12
      case 2, 3: target = NestedRig<Encoder>.hole + UInt64(random.below(2)) << 12
      case 4: target = 0x20_0000 + UInt64(random.below(8)) << 12
      default: target = 0x20_8000 + UInt64(random.below(8)) << 12
      }
    }
    return unmarked(Encoder.leafEntry(target, granting: granted, level: 1))
      | (random.oneIn(rarity * 8) ? 1 << 50 : 0)
  }

  private var marks: UInt64 { rig.mmu.encoder.format.markBits }

  private mutating func unmarked(_ entry: UInt64) -> UInt64 {
    random.flip() ? entry : entry & ~marks
  }

  /// An entry of the inner guest's own leaf table.
  private mutating func innerEntry() -> UInt64 {
    var flags: UInt64 = random.oneIn(12) ? 0 : 1
    if !random.oneIn(5) { flags |= 2 }
    if !random.oneIn(6) { flags |= 4 }
    if random.flip() { flags |= 0x20 }
    if random.flip() { flags |= 0x40 }
    if random.oneIn(8) { flags |= 1 << 63 }
    return flags | random.pick(frames) << 12
  }

  mutating func step() throws {
    count += 1
    switch random.below(100) {
    case 0..<60: try access()
    case 60..<80: try editTables()
    case 80..<86:
      _ = rig.machine.vcpu(1, invalidateSecondLevel: random.flip() ? nil : pointer)
      history = [:]
    case 86..<90: try editInnerTable()
    case 90..<94:
      pointer = root(random.pick(tables[levels] ?? []), marking: random.flip())
      guard rig.machine.vcpu(1, selectSecondLevel: pointer) else {
        throw Difference(description: "the pointer \(pointer) was refused")
      }
    case 94:
      let first = GFN(0x200 + UInt64(random.below(16)))
      rig.mmu.unmapHost(first..<first.wrappingAdd(4))
    case 95: _ = rig.machine.vcpu(1, invalidate: .everything, vpid: 1)
    case 96, 97: rig.clearBusyWord()
    case 98:
      takesExceptions.toggle()
      rig.machine.vcpu(
        1, takesExceptionsIn: takesExceptions ? NestedRig<Encoder>.exceptionArea : nil)
    default: try access()
    }
    // An audit takes longer than an access.
    if count % 8 != 0 { return }
    let breaches = rig.mmu.audit()
    if !breaches.isEmpty {
      throw Difference(description: "audit: " + breaches.prefix(4).joined(separator: "; "))
    }
  }

  /// Notes what a word held before a change.
  private mutating func remember(_ place: UInt64, _ old: UInt64) {
    if rig.peek(place) != old { history[place, default: []].insert(old) }
  }

  /// The hypervisor changes an entry: whole or by halves, through its own vCPU or from outside.
  private mutating func editTables() throws {
    var level = random.oneIn(3) ? 1 + random.below(levels) : 1
    var frame = random.pick(frames)
    var at = place(random.pick(tables[level] ?? []), index(of: frame, at: level), at: level)
    var new = entry(at: level, frame)
    if random.flip(), let broken = brokenEntry() {
      // It mends what keeps its guest from walking at all.
      (at, level, frame) = broken
      new =
        level > 1
        ? rig.inner.tableEntry(
          0x10_0000 + random.pick(tables[level - 1] ?? []) << 12, at: Level(level))
        : Encoder.leafEntry(0x20_0000 + frame << 12, granting: .all, level: 1)
    }
    let old = rig.peek(at)
    if random.oneIn(6) {
      rig.poke(at, new)
    } else {
      let report = rig.hypervisorWrites(at, new)
      guard NestedOutcome(report) == .memory(GPA(at)), rig.peek(at) == new else {
        throw Difference(description: "the hypervisor's write ended as \(report.outcome)")
      }
    }
    remember(at, old)
  }

  /// An entry on the way to the inner guest's page tables that does not lead there.
  private func brokenEntry() -> (place: UInt64, level: Int, frame: UInt64)? {
    for frame in 1...4 as ClosedRange<UInt64> {
      if let found = brokenEntry(of: frame) { return found }
    }
    return nil
  }

  private func brokenEntry(
    of frame: UInt64
  ) -> (place: UInt64, level: Int, frame: UInt64)? {
    var table = pointer & (levels == 3 ? 0xFFFF_FFE0 : 0xFF_FFFF_F000)
    let format = rig.inner
    for level in stride(from: levels, through: 1, by: -1) {
      let at = table + index(of: frame, at: level) * 8
      let entry = rig.peek(at)
      var rights = format.unrestricted
      format.narrow(&rights, by: entry, at: Level(level))
      let isWhole = format.permissions(of: rights).isSuperset(of: [.read, .write, .user])
      let kind = format.kind(of: entry, at: Level(level))
      if !isWhole || kind == .reserved || kind == .notPresent { return (at, level, frame) }
      if kind == .leaf {
        let leads = format.page(in: entry, at: Level(level)).base
        let wanted = level == 1 ? 0x20_0000 + frame << 12 : 0x20_0000
        return leads == wanted ? nil : (at, level, frame)
      }
      table = format.table(in: entry, at: Level(level))
      // What its guest wrote may lead out of the tables.
      if !(tables[level - 1] ?? []).contains(where: { 0x10_0000 + $0 << 12 == table }) {
        return (at, level, frame)
      }
    }
    return nil
  }

  /// The inner guest's table changes under it, and it flushes its TLB.
  private mutating func editInnerTable() throws {
    // Its guest's writes may have hit what is above the leaf table.
    for level in 1...3 as ClosedRange<UInt64> {
      rig.poke(0x20_0000 + level << 12, (level + 1) << 12 | 0x67)
    }
    let at = 0x20_4000 + UInt64(random.below(16)) * 8
    rig.poke(at, innerEntry())
    try rig.machine.vcpu(1, moveToCR3: NestedRig<Encoder>.root)
  }

  private mutating func access() throws {
    let gva = UInt64(random.below(16)) << 12 | random.pick([0, 8, 0x28, 0x40])
    let kind = random.pick([AccessKind.read, .read, .write, .write, .fetch])
    let user = random.flip()
    // What is written may be an entry of the hypervisor's.
    let value = entry(at: 1, random.pick(frames))
    let isFree = takesExceptions && rig.peek(NestedRig<Encoder>.exceptionArea.rawValue) >> 32 == 0
    let (expected, isWhole) = allowed(kind, gva, user, takesException: isFree)
    let before = expected.compactMap(\.place).reduce(into: [:]) {
      $0[$1.rawValue] = rig.peek($1.rawValue)
    }
    let report = rig.access(kind, gva, value: UInt128(value), user: user)
    let outcome = rig.outcome(report)
    let what = "\(user ? "user " : "")\(kind) at \(GVA(gva))"
    guard let index = expected.firstIndex(where: { $0.outcome == outcome }) else {
      if !isWhole {
        // Too many old words to try them all.
        unknown += 1
        history = [:]
        _ = rig.machine.vcpu(1, invalidateSecondLevel: nil)
        return
      }
      throw Difference(
        description: "\(what): \(outcome), expected one of \(Set(expected.map(\.outcome)))")
    }
    if index > 0 { staleUses += 1 }
    switch outcome {
    case .memory(let gpa):
      outcomes["memory", default: 0] += 1
      guard report.hpa == rig.memory.hpa(of: gpa) else {
        throw Difference(description: "\(what): HPA \(report.hpa as HPA?) for \(gpa)")
      }
      let old = before[gpa.rawValue] ?? 0
      if kind == .write {
        guard rig.peek(gpa.rawValue) == value else {
          throw Difference(description: "\(what): the write did not land")
        }
        remember(gpa.rawValue, old)
      } else if let found = report.value {
        // An access may mark the very entry that it reads.
        let differs = (UInt64(truncatingIfNeeded: found) ^ old) & ~(marks | 0x60)
        if differs != 0 { throw Difference(description: "\(what): read \(found) at \(gpa)") }
      }
    case .mmio: outcomes["mmio", default: 0] += 1
    case .fault: outcomes["fault", default: 0] += 1
    case .reflected: outcomes["reflected", default: 0] += 1
    case .exception(let area):
      outcomes["exception", default: 0] += 1
      let bytes = rig.memory.view.read(
        NestedRig<Encoder>.exceptionArea, count: VirtualizationExceptionArea.size)
      guard VirtualizationExceptionArea(bytes: bytes) == area else {
        throw Difference(description: "\(what): memory holds another area than \(area)")
      }
      // Its handler is done with it, or not yet.
      if !random.oneIn(3) { rig.clearBusyWord() }
    case .failed, .contended: outcomes["other", default: 0] += 1
    }
    if expected.count == 1 { try checkMarks(what, expected[0], report) }
  }

  /// Where nothing can be stale, the marks in both tables are those of the walk.
  private func checkMarks(
    _ what: String, _ walk: Walk, _ report: AccessReport<X86Fault>
  ) throws {
    if report.isTLBHit { return }
    for (place, value) in walk.written {
      // The access itself may have overwritten it.
      if walk.place.map({ $0.rawValue == place }) == true { continue }
      let held = rig.peek(place)
      guard held == value else {
        throw Difference(
          description: "\(what): \(GPA(place)) holds \(SPTE(held)), expected \(SPTE(value))")
      }
    }
  }

  /// How a walk may end, and the marks that it leaves.
  struct Walk {
    var outcome: NestedOutcome
    var written: [UInt64: UInt64]
    var place: GPA? {
      if case .memory(let gpa) = outcome { return gpa }
      return nil
    }
  }

  /// The most walks that one access is compared with.
  private static var mostWalks: Int { 400 }

  /// The ways in which the access may end: by what the tables hold, first, and by what they held since
  /// the last INVEPT, fewest old words first.
  ///
  /// - Returns: also whether these are all.
  private func allowed(
    _ kind: AccessKind, _ gva: UInt64, _ user: Bool, takesException: Bool
  ) -> (walks: [Walk], isWhole: Bool) {
    var walks: [Walk] = []
    var choices: [[Int: UInt64]] = [[:]]
    while walks.count < choices.count {
      if walks.count == Self.mostWalks { return (walks, false) }
      let choice = choices[walks.count]
      let memory = SlotMemory(rig.memory.view)
      memory.choice = choice
      var outcome = rig.reference(kind, gva, user: user, pointer: pointer, in: memory)
      if takesException, case .reflected(let exit) = outcome, exit.isConvertible {
        outcome = .exception(
          VirtualizationExceptionArea(
            qualification: exit.information, gva: exit.gva?.rawValue ?? 0,
            gpa: exit.gpa.rawValue, eptpIndex: 0))
      }
      walks.append(Walk(outcome: outcome, written: memory.written))
      // Later reads depend on earlier ones, so each choice is made once, in order.
      let next = choice.keys.max().map { $0 + 1 } ?? 0
      for number in memory.reads.indices.dropFirst(next) where choices.count <= Self.mostWalks {
        for old in history[memory.reads[number]] ?? [] {
          choices.append(choice.merging([number: old]) { $1 })
        }
      }
    }
    return (walks, true)
  }
}
