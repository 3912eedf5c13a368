import Foundation
import MMU
import Machine
import MachineSupport
import Paging
import TestSupport
import Testing
import X86
import X86Guest

@Suite("Shadow paging under random guests")
struct ShadowPropertyTests {
  /// Operations of one case; `MMU_PROPERTY_OPERATIONS` asks for more.
  static var operations: Int {
    let asked = ProcessInfo.processInfo.environment["MMU_PROPERTY_OPERATIONS"].flatMap { Int($0) }
    #if DEBUG
    return asked ?? 4_000
    #else
    return asked ?? 60_000
    #endif
  }

  /// The seeds of each case; `MMU_PROPERTY_SEED` asks for one of its own.
  static var seeds: [UInt64] {
    let asked = ProcessInfo.processInfo.environment["MMU_PROPERTY_SEED"].flatMap { UInt64($0) }
    return asked.map { [$0] } ?? [1, 2]
  }

  static let cases: [(X86Mode, ShadowOptions, Int)] = [
    (.legacy32, ShadowOptions(), 400), (.pae, ShadowOptions(), 400),
    (.long4, ShadowOptions(), 400), (.long5, ShadowOptions(), 400),
    (.long4, ShadowOptions(floodPolicy: .perVCPU, allowsUnsync: false, prefetchWindow: 1), 400),
    (.long4, ShadowOptions(prefetchWindow: 32), 14), (.legacy32, ShadowOptions(), 14),
  ]

  @Test(
    "F1–F14 a random guest sees what its tables say under the manual's TLB rules",
    arguments: 0..<cases.count)
  func randomGuest(number: Int) throws {
    let (mode, options, limit) = Self.cases[number]
    for seed in Self.seeds {
      var run = try RandomGuest(mode, options, tablePages: limit, vcpus: 1 + number % 2, seed: seed)
      do {
        try run.perform(Self.operations / 2)
      } catch {
        Issue.record("\(mode), case \(number), seed \(seed), operation \(run.count): \(error)")
      }
      let counters = run.rig.machine.counters
      print(
        "\(mode) case \(number) seed \(seed): \(run.granted) granted, \(run.refused) refused,"
          + " \(counters.fixed) fixed, \(counters.unsynced) unsynced, \(counters.synced) synced,"
          + " \(counters.flooded) flooded, \(counters.recycled) recycled,"
          + " \(counters.prefetched) prefetched, \(counters.mmioCached) MMIO cached,"
          + " \(run.staleUses) stale")
      #expect(run.granted > run.count / 10, "seed \(seed): the guest did little")
      #expect(run.refused > run.count / 20, "seed \(seed)")
    }
  }
}

/// One run of random operations, each checked against the reference.
struct RandomGuest {
  struct Difference: Error, CustomStringConvertible {
    let description: String
  }

  let rig: ShadowRig
  let world: GuestWorld
  var reference: TLBReference
  var random: SeededGenerator
  var count = 0
  var granted = 0
  var refused = 0
  /// Accesses that went where the tables no longer lead.
  var staleUses = 0
  private var hasExtraSlot = true
  private let extra = Memslot(id: 9, base: GFN(0x400), frameCount: 4, host: HPA(40 << 20))

  init(
    _ mode: X86Mode, _ options: ShadowOptions, tablePages: Int, vcpus: Int, seed: UInt64,
    layout: NamedLayout = .standard
  ) throws {
    world = GuestWorld(mode)
    random = SeededGenerator(seed: seed)
    let slot = Memslot(
      id: 0, base: GFN(0), frameCount: 0x400, host: HPA(16 << 20), backing: .size2MiB)
    rig = try ShadowRig(
      mode, slots: [slot, extra], tablePages: tablePages, vcpus: vcpus, options: options,
      layout: layout)
    reference = TLBReference(addresses: world.addresses.map { $0 & ~0xFFF }, vcpus: vcpus)
    for (gpa, value) in world.fixed { rig.poke(gpa, value) }
    for level in 1...world.top {
      for page in world.pages(at: level) {
        for address in world.addresses {
          let gpa = GuestWorld.page(page) + world.index(of: address, at: level) * rig.entrySize
          rig.poke(gpa, world.entry(at: level, &random))
        }
      }
    }
    for vcpu in 0..<vcpus { try rig.machine.vcpu(vcpu, moveToCR3: GuestWorld.base) }
  }

  var guests: [X86Processor] { rig.machine.vcpus.map(\.guest) }

  mutating func perform(_ operations: Int) throws {
    for _ in 0..<operations {
      count += 1
      try step()
      if count % 1000 == 0 { try audit() }
    }
    try audit()
  }

  func audit() throws {
    let breaches = rig.mmu.audit()
    if !breaches.isEmpty {
      throw Difference(description: "audit: " + breaches.prefix(5).joined(separator: "; "))
    }
  }

  private mutating func step() throws {
    let vcpu = random.below(rig.machine.vcpus.count)
    switch random.below(100) {
    case 0..<62: try access(vcpu)
    case 62..<82: try writeTable(vcpu)
    case 82..<89:
      let gva = random.pick(world.addresses)
      rig.machine.vcpu(vcpu, invalidatePage: GVA(gva))
      reference.invalidate(vcpu, page: gva)
    case 89..<94:
      // PAE's registers are loaded from tables that may be malformed by now.
      let root = GuestWorld.page(random.pick(world.roots))
      if (try? rig.machine.vcpu(vcpu, moveToCR3: root)) != nil { reference.invalidate(vcpu) }
    case 94: toggleRegister(vcpu)
    case 95: pokeTable()
    case 96: try changeSlots()
    case 97: rig.mmu.unmapHost(GFN(0x200)..<GFN(0x200 + UInt64(random.below(16))))
    default: try access(vcpu)
    }
  }

  private mutating func toggleRegister(_ vcpu: Int) {
    let registers = rig.machine.vcpus[vcpu].guest.registers
    if random.flip() {
      // CR0.WP alone drops nothing from the TLB, yet cached rights are judged by it.
      try? rig.machine.vcpu(
        vcpu, moveToCR0: registers.cr0.symmetricDifference(.writeProtect))
    } else {
      let bit: CR4 =
        random.flip() ? .supervisorExecutionPrevention : .supervisorAccessPrevention
      try? rig.machine.vcpu(vcpu, moveToCR4: registers.cr4.symmetricDifference(bit))
    }
  }

  private mutating func pokeTable() {
    let (gpa, value) = world.randomWrite(&random)
    let before = reference.snapshot(guests, rig.memory)
    rig.poke(gpa, value)
    reference.note(before, guests, rig.memory)
  }

  private mutating func changeSlots() throws {
    let slot = extra
    let isThere = hasExtraSlot
    try rig.memory.update { table throws(MemslotError) in
      isThere ? try table.removing(id: 9) : try table.adding(slot)
    } invalidate: { [mmu = rig.mmu] _ in
      mmu.invalidateAll()
    }
    hasExtraSlot.toggle()
  }

  /// A write through the window: whole entries mostly, halves, bytes and crossing ones too.
  private mutating func writeTable(_ vcpu: Int) throws {
    let (gpa, value) = world.randomWrite(&random)
    var offset: UInt64 = 0
    var size = world.entrySize
    switch random.below(12) {
    case 0:
      size = 4
      offset = random.flip() ? 0 : rig.entrySize - 4
    case 1: size = 1
    case 2: size = 2
    case 3: size = 16
    default: break
    }
    if size == 16, gpa & 0xFFF > 0xFF0 { size = world.entrySize }
    let part = UInt128(value >> (offset * 8))
    let before = reference.snapshot(guests, rig.memory)
    let place = world.window + (gpa - GuestWorld.base) + offset
    // The upper half of a 16-byte write repeats what is there.
    var bytes = part
    if size == 16 {
      let next = rig.memory.view.read(GPA(gpa + 8), count: 8)
      bytes = part & (world.entrySize == 4 ? 0xFFFF_FFFF : ~0 >> 64)
      if world.entrySize == 4 {
        let middle = rig.memory.view.read(GPA(gpa + 4), count: 4)
        bytes |= middle.reversed().reduce(0) { $0 << 8 | UInt128($1) } << 32
      }
      bytes |= next.reversed().reduce(0) { $0 << 8 | UInt128($1) } << 64
    }
    let report = rig.access(.write, place, size: size, value: bytes, vcpu: vcpu)
    guard report.value != nil, report.gpa == GPA(gpa + offset) else {
      let walk = TLBReference.walk(place, rig.machine.vcpus[vcpu].guest, rig.memory)
      throw Difference(
        description: "the window failed: \(report.outcome) at \(GPA(gpa)): \(walk.steps)")
    }
    let mask = ~(0 as UInt128) >> UInt128(128 - size * 8)
    let held = rig.memory.view.read(GPA(gpa + offset), count: size)
      .reversed().reduce(0 as UInt128) { $0 << 8 | UInt128($1) }
    if held != bytes & mask { throw Difference(description: "the write did not land") }
    reference.note(before, guests, rig.memory)
  }

  private mutating func access(_ vcpu: Int) throws {
    let page = random.pick(world.addresses)
    let gva = page & ~0xFFF | random.pick([0, 0x10, 0x18, 0x38, 0x40])
    let kind = random.pick([AccessKind.read, .read, .write, .write, .fetch])
    let access = X86Access(kind, user: random.flip(), alignmentCheck: random.oneIn(4))
    let guest = rig.machine.vcpus[vcpu].guest
    let expected = guest.translate(GVA(gva), for: access, in: rig.memory.view, Judge())
    let walked = TLBReference.walk(gva, guest, rig.memory)
    let level = 1 + random.below(min(world.top, 2))
    let value = world.entry(at: level, &random)
    let stale = reference.stale(vcpu, gva)
    let mayHitTables = kind == .write
    let before = mayHitTables ? reference.snapshot(guests, rig.memory) : []
    let old = Dictionary(
      uniqueKeysWithValues: ([walked] + stale).compactMap(\.gpa).map {
        $0.roundedDown(to: .size4KiB).wrappingAdd(gva & 0xFFF)
      }.reduce(into: Set<GPA>()) { $0.insert($1) }.map {
        ($0, rig.memory.view.read($0, count: 8))
      })
    let report = rig.machine.vcpu(
      vcpu, access: access, at: GVA(gva), size: 8, value: UInt128(value))
    let what = "\(access.isUser ? "user " : "")\(kind) at \(GVA(gva)) on vCPU \(vcpu)"
    switch report.outcome {
    case .done(let read):
      granted += 1
      guard let gpa = report.gpa else { throw Difference(description: "\(what): no GPA") }
      var isFresh = false
      if case .success(let fresh) = expected { isFresh = fresh.address == gpa }
      let isStale = stale.contains { old in
        guard let rights = old.rights, let tables = old.tableRights, let base = old.gpa else {
          return false
        }
        return base.roundedDown(to: .size4KiB).wrappingAdd(gva & 0xFFF) == gpa
          && guest.permits(access, rights: rights, tables: tables, leaf: old.leaf)
          && (kind != .write || old.leaf & 0x40 != 0)
      }
      guard isFresh || isStale else {
        throw Difference(
          description: "\(what): went to \(gpa), expected \(expected), stale "
            + "\(stale.map { ($0.gpa, $0.leaf, $0.rights, guest.registers.cr0) })")
      }
      if !isFresh { staleUses += 1 }
      try checkData(what, gpa, kind, read, value, report.mmio != nil, old)
      // A write may hit the very entries that lead to it.
      let isOverwritten =
        kind == .write
        && walked.steps.contains { step in
          step.entryAddress + 8 > gpa.rawValue && step.entryAddress < gpa.rawValue + 8
        }
      if isFresh, stale.isEmpty, !isOverwritten { try checkMarks(what, gva, guest, kind) }
    case .fault(let fault):
      try checkFault(what, expected, fault.vector, fault.errorCode.rawValue, guest, access)
    case .injected(let vector, let code):
      try checkFault(what, expected, vector, code, guest, access)
    case .failed(let error): throw Difference(description: "\(what): \(error)")
    }
    if case .done = report.outcome {
    } else {
      refused += 1
      let after = TLBReference.walk(gva, guest, rig.memory)
      if after != walked { throw Difference(description: "\(what): a refused access left marks") }
    }
    if mayHitTables {
      reference.note(before, guests, rig.memory, written: gva & ~0xFFF)
    }
  }

  private func checkData(
    _ what: String, _ gpa: GPA, _ kind: AccessKind, _ read: UInt128, _ value: UInt64,
    _ isMMIO: Bool, _ old: [GPA: [UInt8]]
  ) throws {
    let isBacked = rig.memory.hpa(of: gpa) != nil
    if isBacked == isMMIO { throw Difference(description: "\(what): MMIO \(isMMIO) at \(gpa)") }
    if isMMIO { return }
    let now = rig.memory.view.read(gpa, count: 8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    if kind == .write {
      if now != value { throw Difference(description: "\(what): the write did not land") }
    } else if let bytes = old[gpa] {
      // An access may mark the very entry that it reads.
      let was = bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
      let marks: UInt64 = 0x60_0000_0060
      let differs = (UInt64(truncatingIfNeeded: read) ^ was) & ~marks
      if differs != 0 { throw Difference(description: "\(what): read \(read) at \(gpa)") }
    }
  }

  /// A is set all the way, D in the leaf of a write.
  private func checkMarks(
    _ what: String, _ gva: UInt64, _ guest: X86Processor, _ kind: AccessKind
  ) throws {
    let steps = TLBReference.walk(gva, guest, rig.memory).steps
    for step in steps {
      let wanted: UInt64 = step.kind == .leaf && kind == .write ? 0x60 : 0x20
      if step.entry & wanted != wanted {
        throw Difference(description: "\(what): marks are missing at level \(step.level)")
      }
    }
  }

  private func checkFault(
    _ what: String,
    _ expected: Result<
      Translation<GuestPhysical, X86Rights>, WalkFailure<X86Fault, GuestMemoryHole>
    >,
    _ vector: UInt8, _ code: UInt32, _ guest: X86Processor, _ access: X86Access
  ) throws {
    switch expected {
    case .failure(.fault(let fault))
    where fault.vector == vector && fault.errorCode.rawValue == code:
      return
    case .failure(.unreadable(_, _, let level)):
      let fault = guest.faultForUnreadableTable(GVA(0), for: access, at: level)
      if fault.vector == vector, fault.errorCode.rawValue == code { return }
    default: break
    }
    throw Difference(
      description: "\(what): vector \(vector) code \(code), expected \(expected)")
  }
}
