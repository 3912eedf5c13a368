/// What came of asking for a page.
public enum MissingPageAnswer: Sendable, Hashable {
  /// Its bytes; where there are fewer than 4096 the rest are zeros.
  case page([UInt8])
  /// Not now: the access leaves the machine, and asks again when it is repeated.
  case later
  /// Never: the access leaves the machine for good.
  case failed
}
