import MMU
import Machine
import Paging

extension ScenarioRunner {
  /// Notes what a step of the host did to frames, for translations that are older; the MMU itself tells
  /// of what it does.
  func noteHostOperation(_ action: Action) {
    guard let ledger = machine.ledger else { return }
    let all = GFN(0)..<GFN(1 << 52)
    switch action {
    case .memslot(.add(let region)): ledger.note(.memslots, of: region.frames)
    case .memslot: ledger.note(.memslots, of: all)
    case .restore: ledger.note(.restore, of: all)
    default: break
    }
  }

  /// What the host does to the tables; the result's count is of pages, or of leaves.
  func perform(_ action: MaintenanceAction, _ result: inout StepResult) {
    guard let mmu = machine.maintenance else {
      result.problem = "this MMU cannot do it"
      return
    }
    func id(_ gpa: GPA) -> Int {
      machine.memory.slots.slots.first { $0.base == gpa.frame }?.id ?? -1
    }
    func frames(_ gpa: GPA, _ byteCount: UInt64) -> Range<GFN> {
      gpa.frame..<gpa.frame.wrappingAdd((byteCount + 4095) >> 12)
    }
    do throws(DirtyLogError) {
      switch action {
      case .startDirtyLog(let gpa, let method, let isInitiallySet, let pages):
        try mmu.startDirtyLog(
          slot: id(gpa), method, isInitiallySet: isInitiallySet, usesRings: false,
          splitBudget: pages)
      case .dirtyPages(let gpa, let clearing):
        let words = try mmu.dirtyPages(ofSlot: id(gpa), clearing: clearing)
        result.count = words.reduce(0) { $0 + $1.nonzeroBitCount }
      case .stopDirtyLog(let gpa): try mmu.stopDirtyLog(slot: id(gpa))
      case .age(let gpa, let count, let clearing):
        result.count = mmu.age(frames(gpa, count), clearing: clearing)
      case .hostUnmap(let gpa, let count):
        result.count = mmu.unmapHost(frames(gpa, count)) {}
      case .recoverNXHugePages: result.count = mmu.recoverNXHugePages()
      }
      result.isDone = true
    } catch {
      if case .memslot(.unknown) = error {
        result.problem = "no memslot begins there"
      } else {
        result.problem = "\(error)"
      }
    }
  }
}
