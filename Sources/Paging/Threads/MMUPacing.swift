/// Decides when a thread of an MMU takes its next step on what the threads share.
///
/// Threads run free as a rule, and nothing of this is left in the code (`FreeRunning`). An explorer of
/// schedules lets one thread run at a time and chooses at each step which (`mmu races`); what runs
/// then is the MMU itself and no model of it.
public protocol MMUPacing: Sendable {
  /// Whether every step is taken at once.
  static var isFree: Bool { get }

  /// Comes before one step: one atomic operation, or a few that nobody sees apart.
  ///
  /// - Parameters:
  ///   - place: what is read or changed.
  ///   - isChange: whether the step may change the place; two steps that only read it may be
  ///     taken in any order.
  func step(_ place: SharedPlace, isChange: Bool)

  /// As `step(_:isChange:)`, before a step that is not taken until others have changed the place.
  func wait(_ place: SharedPlace, isChange: Bool, until condition: @escaping () -> Bool)
}

/// What threads of an MMU share.
public enum SharedPlace: Sendable, Hashable {
  /// An entry of a table.
  case entry(HPA)
  /// Bytes of a guest's page.
  case data(HPA)
  /// The epoch of those who are inside.
  case epoch
  /// The word of one vCPU that says whether it is inside.
  case presence(Int)
  /// The roots, lent to one at a time.
  case roots
  /// The number of the roots' last replacement.
  case rootEpoch
  /// The memslots and their generation.
  case memslots
  /// The ranges that the host changes.
  case notifier
  /// The frames whose writes somebody wants to hear of.
  case trackedFrames
  /// The marks of written pages, wherever they are kept.
  case dirtyMarks
  /// The pages that tables are made of.
  case tablePool
  /// Which frames are private.
  case attributes
}

/// Nobody waits for a turn.
@frozen
public struct FreeRunning: MMUPacing {
  /// The pacing of every machine that is no experiment.
  @inlinable
  public init() {}
  /// Yes.
  @inlinable public static var isFree: Bool { true }
  /// Goes on.
  @inlinable
  public func step(_ place: SharedPlace, isChange: Bool) {}
  /// Goes on: whoever runs free waits by other means.
  @inlinable
  public func wait(_ place: SharedPlace, isChange: Bool, until condition: @escaping () -> Bool) {}
}
