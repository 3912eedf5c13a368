public import Paging
public import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Who may be looking at tables or using translations now, so that what is taken out of the tables
/// can wait until nobody sees it (SPEC T1).
///
/// Each vCPU announces in a word of its own that it is inside (in the guest, or handling an exit) and
/// the epoch at which it came. A change opens a new epoch and waits for those who came before it; who
/// comes later drops its TLB first. A vCPU that stays inside compares the epoch before each access and
/// announces itself again when there is a new one. It never waits for a change while it is inside.
@usableFromInline
final class TableWalkers: Sendable {
  /// One vCPU's word: 0 outside, else the epoch of its entry.
  ///
  /// The vCPU writes it twice an exit, so no other word shares its cache line, nor the next line, which
  /// processors fetch along with it.
  @usableFromInline
  final class Place: Sendable {
    private let before = InlineArray<16, UInt64>(repeating: 0)
    @usableFromInline let word = Atomic<UInt64>(0)
    private let after = InlineArray<16, UInt64>(repeating: 0)
    /// Which vCPU's word it is, in the order of their registration.
    @usableFromInline let number: Int

    init(number: Int) { self.number = number }
  }

  /// The epoch now, never 0.
  @usableFromInline let epoch = Atomic<UInt64>(1)
  private let places = Guarded<(list: [Place], registered: Int)>(([], 0))

  /// How many vCPUs there are.
  private let memberCount = Atomic<Int>(0)

  /// How many changes have waited for those inside.
  var changeCount: UInt64 { epoch.load(ordering: .acquiring) - 1 }

  /// How often its lock was taken.
  var lockUses: UInt64 { places.uses }

  /// What a vCPU has announced; `nil` where there is none.
  func word(of number: Int) -> UInt64? {
    places.withLock { places in
      places.list.first { $0.number == number }?.word.load(ordering: .relaxed)
    }
  }

  /// A new vCPU's word.
  func register() -> Place {
    places.withLock { places in
      let place = Place(number: places.registered)
      places.registered += 1
      places.list.append(place)
      memberCount.store(places.list.count, ordering: .relaxed)
      return place
    }
  }

  /// Forgets a vCPU, which is outside for good.
  func unregister(_ place: Place) {
    place.word.store(0, ordering: .releasing)
    places.withLock { places in
      places.list.removeAll { $0 === place }
      memberCount.store(places.list.count, ordering: .relaxed)
    }
  }

  /// Announces that the vCPU is inside.
  ///
  /// - Returns: the epoch; where it is another than at the last entry, the TLB is stale.
  @inlinable
  func enter(_ place: borrowing Place, _ pacing: borrowing some MMUPacing) -> UInt64 {
    pacing.step(.epoch, isChange: false)
    var now = epoch.load(ordering: .acquiring)
    while true {
      pacing.step(.presence(place.number), isChange: true)
      // The store comes before the load in every thread's view, or a change that does not see the
      // store could be missed by the load.
      place.word.store(now, ordering: .sequentiallyConsistent)
      pacing.step(.epoch, isChange: false)
      let again = epoch.load(ordering: .sequentiallyConsistent)
      if again == now { return now }
      now = again
    }
  }

  /// Announces that the vCPU is outside.
  @inlinable
  func exit(_ place: borrowing Place, _ pacing: borrowing some MMUPacing) {
    pacing.step(.presence(place.number), isChange: true)
    place.word.store(0, ordering: .releasing)
  }

  /// Waits until everybody who was inside has been outside. **Requires** that the caller is outside.
  @usableFromInline
  func synchronize<Pacing: MMUPacing>(_ pacing: borrowing Pacing) {
    pacing.step(.epoch, isChange: true)
    wait(for: epoch.add(1, ordering: .sequentiallyConsistent).newValue, pacing)
  }

  /// Waits until everybody has been outside who is inside since before an epoch.
  private func wait<Pacing: MMUPacing>(for target: UInt64, _ pacing: borrowing Pacing) {
    let list = places.withLock { $0.list }
    // By number: code that is not optimised allocates for each element of a `for`.
    for index in list.indices {
      let place = list[index]
      if !Pacing.isFree {
        pacing.wait(.presence(place.number), isChange: false) {
          Self.isOutside(place, before: target)
        }
      }
      var spins = 0
      while !Self.isOutside(place, before: target) {
        spins += 1
        if spins > 32 { Self.yield() }
      }
    }
  }

  /// As `synchronize`, where there is anybody else. **Requires** that the caller is outside.
  @usableFromInline
  func synchronizeOthers() {
    if memberCount.load(ordering: .relaxed) > 1 { synchronize(FreeRunning()) }
  }

  /// Waits until everybody who is inside has come since the last change was announced, where there is
  /// anybody else. **Requires** that the caller is outside.
  @usableFromInline
  func awaitOthers() {
    if memberCount.load(ordering: .relaxed) > 1 {
      wait(for: epoch.load(ordering: .sequentiallyConsistent), FreeRunning())
    }
  }

  private static func isOutside(_ place: Place, before epoch: UInt64) -> Bool {
    let word = place.word.load(ordering: .sequentiallyConsistent)
    return word == 0 || word >= epoch
  }

  /// Lets other threads run.
  @usableFromInline
  static func yield() { sched_yield() }
}
