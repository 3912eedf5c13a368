public import Paging
import Synchronization

/// The pages of host memory that tables are made of, under a limit.
///
/// Fresh pages come from a counter, returned ones from a list; only linking or freeing a table comes
/// here, never a fault on tables that are present.
public final class TablePool: Sendable {
  /// The first page.
  public let first: PFN
  /// The most pages in use at once. **Units** pages.
  public let limit: Int
  private let state = Guarded(State())
  /// As many pages as are in use, for who need not wait for the lock.
  private let used = Atomic<Int>(0)

  /// Which pages are in use.
  struct State {
    var fresh = 0
    var returned: [PFN] = []
    var inUse = 0
    var highWater = 0
    /// How many pages were ever taken, and the count when each was taken last, by its number.
    var taken: UInt64 = 0
    var stamps: [UInt64] = []

    /// Notes that a page is in use from now on.
    mutating func use(_ index: Int) {
      inUse += 1
      highWater = max(highWater, inUse)
      taken += 1
      while stamps.count <= index { stamps.append(0) }
      stamps[index] = taken
    }
  }

  /// A pool over the pages from `first`. **Requires** that host memory holds `limit` of them.
  public init(first: PFN, limit: Int) {
    self.first = first
    self.limit = limit
  }

  /// Where the pages lie in host memory.
  public var range: Range<HPA> {
    first.baseAddress..<first.wrappingAdd(UInt64(limit)).baseAddress
  }

  /// A page, or `nil` where the limit is reached. What it holds is whatever it held.
  public func take() -> PFN? {
    state.withLock { state in
      defer { used.store(state.inUse, ordering: .releasing) }
      if let page = state.returned.popLast() {
        state.use(Int(page.rawValue &- first.rawValue))
        return page
      }
      guard state.fresh < limit else { return nil }
      defer {
        state.use(state.fresh)
        state.fresh += 1
      }
      return first.wrappingAdd(UInt64(state.fresh))
    }
  }

  /// Gives a page back. **Requires** that nobody can walk it any more.
  public func give(back page: PFN) {
    state.withLock { state in
      state.inUse -= 1
      used.store(state.inUse, ordering: .releasing)
      state.returned.append(page)
    }
  }

  /// Feeds which pages are in use, and the order in which the others will be.
  func hash(into hasher: inout Hasher) {
    state.withLock { state in
      hasher.combine(state.fresh)
      hasher.combine(state.returned)
      hasher.combine(state.stamps)
    }
  }

  /// Which pages are in use now.
  var snapshot: State { state.withLock { $0 } }

  /// Puts the use of pages back to what it was, with what the pages hold.
  func restore(_ snapshot: State) {
    state.withLock { state in
      state = snapshot
      used.store(snapshot.inUse, ordering: .releasing)
    }
  }

  /// Whether a page can be taken now.
  var hasRoom: Bool { state.withLock { !$0.returned.isEmpty || $0.fresh < limit } }

  /// How many pages have been taken since each of these. **Requires** pages in use.
  func ages(of pages: [PFN]) -> [UInt64] {
    state.withLock { state in
      pages.map { state.taken - state.stamps[Int($0.rawValue &- first.rawValue)] }
    }
  }

  /// Pages in use now. **Units** pages.
  public var inUse: Int { used.load(ordering: .acquiring) }
  /// The most pages that were in use at once. **Units** pages.
  public var highWater: Int { state.withLock { $0.highWater } }

  /// How often its lock was taken.
  var lockUses: UInt64 { state.uses }
}
