import MMU
import Machine
import MachineSupport
import Paging
import ParallelProperty
import TestSupport
import Testing
import X86
import X86TDX

/// What 2 MiB of a domain must be like, said literally: an attribute, a private and a shared page for
/// each frame, and whether the secure EPT has one entry for all of them or a table.
private struct DomainModel {
  enum Page: Equatable {
    case absent, pending
    case mapped(UInt128)
  }

  enum Shape { case nothing, large, small }

  /// What the guest or host gets.
  enum Answer: Equatable {
    case value(UInt128)
    case exception
    case memoryFault(isPrivate: Bool)
    case status(TDXStatus)
    case isShared
  }

  var isPrivate = [Bool](repeating: true, count: 512)
  var pages = [Page](repeating: .absent, count: 512)
  var shared = [UInt128](repeating: 0, count: 512)
  var shape = Shape.nothing
  let backing: PageSize

  /// Adds what is missing for a private frame, at most as large as asked.
  ///
  /// - Returns: the size of what was added.
  mutating func augment(_ frame: Int, atMost limit: PageSize) -> PageSize {
    let mayBeLarge = isPrivate.allSatisfy { $0 } && backing == .size2MiB && limit == .size2MiB
    guard shape == .nothing, mayBeLarge else {
      shape = .small
      pages[frame] = .pending
      return .size4KiB
    }
    shape = .large
    pages = pages.map { _ in .pending }
    return .size2MiB
  }

  mutating func access(_ frame: Int, write value: UInt128?, isPrivate asPrivate: Bool) -> Answer {
    guard isPrivate[frame] == asPrivate else { return .memoryFault(isPrivate: asPrivate) }
    guard asPrivate else {
      if let value { shared[frame] = value }
      return .value(shared[frame])
    }
    switch pages[frame] {
    case .absent:
      _ = augment(frame, atMost: .size2MiB)
      return .exception
    case .pending: return .exception
    case .mapped(let old):
      if let value { pages[frame] = .mapped(value) }
      return .value(value ?? old)
    }
  }

  mutating func accept(_ frame: Int, _ size: PageSize) -> Answer {
    let first = size == .size2MiB ? 0 : frame
    if size == .size2MiB {
      if shape == .small { return .status(.pageSizeMismatch) }
      if shape == .nothing {
        guard isPrivate[first] else { return .isShared }
        if augment(first, atMost: size) != size { return .status(.pageSizeMismatch) }
      }
      if case .mapped = pages[0] { return .status(.pageAlreadyAccepted) }
      pages = pages.map { _ in .mapped(0) }
      return .status(.success)
    }
    if shape == .large { return .status(.pageSizeMismatch) }
    switch pages[first] {
    case .absent where !isPrivate[first]: return .isShared
    case .absent: _ = augment(first, atMost: size)
    case .pending: break
    case .mapped: return .status(.pageAlreadyAccepted)
    }
    pages[first] = .mapped(0)
    return .status(.success)
  }

  mutating func reclaim(_ range: Range<Int>) {
    if shape == .large, range.count < 512 { shape = .small }
    for frame in range { pages[frame] = .absent }
    if pages.allSatisfy({ $0 == .absent }) { shape = .nothing }
  }

  mutating func convert(_ range: Range<Int>, toPrivate: Bool) {
    for frame in range { isPrivate[frame] = toPrivate }
    if !toPrivate { reclaim(range) }
  }
}

@Suite("A trust domain does what its model says")
struct TDXModelTests {
  private static let base: UInt64 = 0x200

  private static func answer(_ report: AccessReport<X86Fault>) -> DomainModel.Answer? {
    if let value = report.value { return .value(value) }
    if Domain.isVE(report) { return .exception }
    if case .memoryFault(_, let isPrivate)? = report.failure {
      return .memoryFault(isPrivate: isPrivate)
    }
    return nil
  }

  private static func accept(
    _ domain: Domain, _ frame: Int, _ size: PageSize
  ) -> DomainModel.Answer? {
    let isLarge = size == .size2MiB
    do throws(TDXError) {
      try domain.mmu.accept(
        GFN(base + (isLarge ? 0 : UInt64(frame))), isLarge ? .directory : .pageTable)
      return .status(.success)
    } catch .module(let status) {
      return .status(status)
    } catch .shared {
      return .isShared
    } catch {
      return nil
    }
  }

  @Test(
    "E16 T6 random accesses, acceptances, conversions and reclaims on two vCPUs; nothing private shows",
    arguments: 1...8 as ClosedRange<UInt64>)
  func randomOperations(seed: UInt64) throws {
    let backing: PageSize = seed.isMultiple(of: 2) ? .size2MiB : .size4KiB
    let domain = try Domain(vcpus: 2, backing: backing)
    var model = DomainModel(backing: backing)
    var random = SeededGenerator(seed: seed)
    var secrets: Set<UInt128> = []
    for step in 0..<250 as Range<UInt64> {
      let frame = Int.random(in: 0..<16, using: &random)
      let vcpu = Int.random(in: 0...1, using: &random)
      let range = frame..<Int.random(in: (frame + 1)...min(frame + 4, 16), using: &random)
      let frames =
        GFN(Self.base + UInt64(range.lowerBound))..<GFN(Self.base + UInt64(range.upperBound))
      let all = GFN(Self.base)..<GFN(Self.base + 512)
      domain.module.makeBusy(calls: Int.random(in: 0...2, using: &random))
      switch Int.random(in: 0..<20, using: &random) {
      case 0..<9:
        let isPrivate = Bool.random(using: &random)
        let isWrite = Bool.random(using: &random)
        let value = UInt128(seed << 32 | step << 1 | (isPrivate ? 1 : 0))
        let gva = (isPrivate ? 0x4000_0000 : 0x5000_0000) + UInt64(frame) << 12 + 0x18
        let report = domain.access(isWrite ? .write : .read, gva, value: value, vcpu: vcpu)
        let expected = model.access(frame, write: isWrite ? value : nil, isPrivate: isPrivate)
        #expect(Self.answer(report) == expected, "step \(step), frame \(frame)")
        if isPrivate, isWrite, expected == .value(value) { secrets.insert(value) }
        if !isPrivate, case .value(let seen) = expected {
          #expect(!secrets.contains(report.value ?? 0) && seen & 1 == 0)
        }
      case 9..<13:
        #expect(
          Self.accept(domain, frame, .size4KiB) == model.accept(frame, .size4KiB), "step \(step)")
      case 13:
        #expect(
          Self.accept(domain, frame, .size2MiB) == model.accept(frame, .size2MiB), "step \(step)")
      case 14..<16:
        try domain.mmu.convert(frames, toPrivate: false)
        model.convert(range, toPrivate: false)
      case 16..<18:
        try domain.mmu.convert(frames, toPrivate: true)
        model.convert(range, toPrivate: true)
      case 18:
        try domain.mmu.reclaim(frames)
        model.reclaim(range)
      default:
        try domain.mmu.convert(all, toPrivate: false)
        model.convert(0..<512, toPrivate: false)
        try domain.mmu.convert(all, toPrivate: true)
        model.convert(0..<512, toPrivate: true)
      }
      domain.module.makeBusy(calls: 0)
      #expect(domain.mmu.audit() == [], "step \(step)")
    }
  }

  @Test("E16 tables go back to the pool with the last page in them, and a dry pool says so")
  func tablesComeBack() throws {
    let domain = try Domain()
    let before = domain.mmu.tablePages
    for round in 0..<50 {
      try domain.mmu.accept(GFN(0x400 + UInt64(round)))
      try domain.mmu.accept(GFN(0x800))
      try domain.mmu.reclaim(GFN(0x400)..<GFN(0xA00))
      #expect(domain.mmu.tablePages == before)
    }
    #expect(domain.mmu.audit() == [])
  }

  @Test("T9 without a page for a table nothing is added, and mirror and module agree")
  func dryPool() throws {
    let domain = try Domain(tablePages: 6)
    var failure: FaultError?
    for page in 0..<16 as Range<UInt64> {
      failure = failure ?? domain.access(.read, 0x4000_0000 + page << 12).failure
    }
    #expect(failure == .tablePagesExhausted(limit: 6))
    #expect(domain.mmu.audit() == [])
  }

  @Test("E16 T8 a slot that goes takes its private pages along")
  func slotRemoval() throws {
    let domain = try Domain(backing: .size2MiB)
    try domain.mmu.accept(GFN(0x200), .directory)
    try domain.mmu.accept(GFN(0x400))
    #expect(domain.access(.write, 0x4000_0000, value: 5).value == 5)
    try domain.memory.update { table throws(MemslotError) in
      try table.removing(id: 0)
    } invalidate: { _ in
      domain.mmu.invalidateAll()
    }
    #expect(domain.module.entryCount == 0)
    #expect(domain.mmu.audit() == [])
    #expect(
      domain.access(.read, 0x4000_0000).failure
        == .memoryFault(GPA(0x10_0000), isPrivate: true))
  }

  @Test("T3 private memory has no dirty log, and a domain no modification log")
  func dirtyLogs() throws {
    let domain = try Domain()
    #expect(throws: DirtyLogError.privateMemory(slot: 0)) {
      try domain.mmu.startDirtyLog(
        slot: 0, .writeProtect, isInitiallySet: false, usesRings: false, splitBudget: 0)
    }
    #expect(throws: DirtyLogError.unsupported(.pageModificationLog)) {
      try domain.mmu.startDirtyLog(
        slot: 0, .pageModificationLog, isInitiallySet: false, usesRings: false, splitBudget: 0)
    }
  }
}
