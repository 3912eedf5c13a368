/// Why a walk gave no translation.
@frozen
public enum WalkFailure<Fault: Error, MemoryFailure: Error>: Error {
  /// The tables or the address refuse; what the hardware would report.
  case fault(Fault)
  /// The memory that should hold an entry did not answer: `tableUnreadable`.
  case unreadable(MemoryFailure, entry: UInt64, level: Level)
  /// Entries kept changing under the walk until its budget of restarts ran out.
  case contended
}

extension WalkFailure: Sendable where Fault: Sendable, MemoryFailure: Sendable {}
