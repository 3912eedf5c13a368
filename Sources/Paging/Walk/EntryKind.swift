/// What a table entry is.
@frozen
public enum EntryKind: Sendable, Hashable {
  /// Maps nothing; every other bit is ignored.
  case notPresent
  /// Present, yet a bit that must be zero is set, or a combination is not legal.
  case reserved
  /// Points to a table of the next level.
  case table
  /// Maps a page.
  case leaf
}
