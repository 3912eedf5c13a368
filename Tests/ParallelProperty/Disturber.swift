import MMU
import MachineSupport
import Paging
import TestSupport

/// Changes the tables of a machine whose vCPUs run, one random change at a time.
struct Disturber<Encoder: SPTEEncoder>
where
  Encoder.Format: SecondLevelFormat, Encoder.Format.Fault: SecondLevelExit,
  Encoder.Format.Root == TableRoot
{
  private let mmu: TDPMMU<Encoder, DefaultPolicy>
  private let memory: GuestMemory
  /// The first frame of the 2 MiB that the guests use, of one slot.
  private let data: GFN
  private let slot: Int
  /// The ways in which the machine can log.
  private let methods: [DirtyMethod]
  private var random: SeededGenerator
  private var isLogging = false
  private var tracking: Int?
  /// How often each change was made.
  private(set) var changes: [StressChange: Int] = [:]

  init(
    _ mmu: TDPMMU<Encoder, DefaultPolicy>, _ memory: GuestMemory, data: GFN, slot: Int,
    logsModifications: Bool, seed: UInt64
  ) {
    self.mmu = mmu
    self.memory = memory
    self.data = data
    self.slot = slot
    methods =
      mmu.encoder.layout.masks.dirty == 0
      ? [.writeProtect]
      : DirtyMethod.allCases.filter { logsModifications || $0 != .pageModificationLog }
    random = SeededGenerator(seed: seed)
  }

  private func frames(_ range: Range<UInt64>) -> Range<GFN> {
    data.wrappingAdd(range.lowerBound)..<data.wrappingAdd(range.upperBound)
  }

  /// The writes of tracked frames, which nobody needs to know.
  private struct Unheard: WriteTracker {
    func memoryWritten(_ gpa: GPA, byteCount: Int) {}
  }

  /// Makes one change; nothing where it is one of the log and no log runs.
  mutating func change(_ progress: Stress.Progress) throws {
    let first = random.next() % Stress.pages
    let range = frames(first..<(first + 1 + random.next() % 16))
    let large = frames(0..<512)
    let change = random.pick(StressChange.allCases)
    switch change {
    case .zap: mmu.zap(range)
    case .zapAll: mmu.zap(large)
    case .age: mmu.age(range, clearing: true)
    case .unmapHost: unmapHost(range, progress)
    case .dirtyPages:
      guard isLogging else { return }
      _ = try mmu.dirtyPages(ofSlot: slot, clearing: random.flip())
    case .clearDirtyPages:
      guard isLogging else { return }
      let words = try mmu.dirtyPages(ofSlot: slot, clearing: false)
      let from = random.below(words.count)
      try mmu.clearDirtyPages(ofSlot: slot, firstWord: from, Array(words[from...]))
    case .rings:
      _ = mmu.harvestDirtyRings()
      mmu.resetDirtyRings()
    case .startOrStopLog: try startOrStopLog()
    case .invalidateAll: mmu.invalidateAll()
    case .split: _ = mmu.splitLargePages(in: large, budget: 1)
    case .collapse: _ = mmu.collapse(in: large)
    case .trackWrites:
      if let tracking { mmu.stopTrackingWrites(tracking) }
      tracking = tracking == nil ? mmu.trackWrites(to: range, by: Unheard()) : nil
    case .slots:
      let extra = Memslot(id: 7, base: GFN(0x8000), frameCount: 8, host: HPA(40 << 20))
      try mmu.updateSlots(dropping: extra.base..<extra.end) { table throws(MemslotError) in
        table[id: 7] == nil ? try table.adding(extra) : try table.removing(id: 7)
      }
    }
    changes[change, default: 0] += 1
  }

  private mutating func startOrStopLog() throws {
    if isLogging {
      try mmu.stopDirtyLog(slot: slot)
    } else {
      try mmu.startDirtyLog(
        slot: slot, random.pick(methods), isInitiallySet: random.flip(), usesRings: random.flip(),
        splitBudget: random.below(3))
    }
    isLogging.toggle()
  }

  /// While the host holds the page nobody reads what it scribbles there, or writes over it.
  private func unmapHost(_ range: Range<GFN>, _ progress: Stress.Progress) {
    guard let place = memory.hpa(of: range.lowerBound.baseAddress) else { return }
    mmu.unmapHost(range) {
      if !memory.host.view.scribble(at: place, restoring: true) {
        progress.note("frame \(range.lowerBound) was written while the host held it")
      }
    }
  }
}
