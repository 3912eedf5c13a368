/// What became of a compare-exchange on an entry.
@frozen
public enum EntryExchange: Sendable, Hashable {
  /// The entry held what was expected and now holds what was desired.
  case stored
  /// Somebody else changed the entry first.
  case lost
  /// The memory is not writable by walks (a read-only slot, an image); the entry stays as it is.
  case readOnly
}
