/// The first step of a walk.
@frozen
public enum WalkStart: Sendable {
  /// Read the table at this address, whose entries are of this level.
  case table(UInt64, Level)
  /// The address, or a register that holds the top level, ends the walk before any memory is read.
  case refused(FaultCause, Level)
}
