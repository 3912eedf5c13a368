package import Paging
import Synchronization

extension TDPMMU {
  /// What a place holds, as a word: equal where the place holds the same, and by any chance at all else
  /// unequal. An explorer of schedules tells states apart by it.
  ///
  /// - Returns: `nil` for the guest's data, which is not the MMU's.
  package func content(of place: SharedPlace) -> UInt64? {
    var hasher = Hasher()
    switch place {
    case .entry(let address): return try? host.view.load(address, as: UInt64.self).get()
    case .epoch: return walkers.epoch.load(ordering: .relaxed)
    case .presence(let number): return walkers.word(of: number)
    case .rootEpoch: return roots.epoch.load(ordering: .relaxed)
    case .roots: roots.hash(into: &hasher)
    case .memslots: memory.hash(into: &hasher)
    case .notifier: notifier.hash(into: &hasher)
    case .trackedFrames: tracked.hash(into: &hasher)
    case .dirtyMarks: hashMarks(into: &hasher)
    case .tablePool: pool.hash(into: &hasher)
    case .attributes: hasher.combine(memory.attributes.runs)
    case .data: return nil
    }
    return UInt64(bitPattern: Int64(hasher.finalize()))
  }

  /// Feeds the marks of written pages, wherever they are.
  private func hashMarks(into hasher: inout Hasher) {
    for slot in memory.allSlots {
      guard let log = slot.activeLog else { continue }
      hasher.combine(slot.id)
      hasher.combine(log.snapshot)
    }
    for (number, log) in logs.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
      hasher.combine(number)
      log.ring?.hash(into: &hasher)
      log.modifications.hash(into: &hasher)
    }
  }
}
