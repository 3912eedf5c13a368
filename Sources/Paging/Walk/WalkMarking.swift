/// What became of setting the bits of a walk.
@usableFromInline
enum WalkMarking<Entry: TableEntry, Failure: Error> {
  /// All are set that can be; the leaf as it is now.
  case done(leaf: Entry)
  /// Somebody changed an entry since it was read.
  case lost
  /// The memory that held an entry does not answer any more.
  case unwritable(Failure, entry: UInt64, level: Level)
}
