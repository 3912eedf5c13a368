public import Paging

/// Why a private address has no translation.
public enum SecureRefusal: Error, Sendable, Hashable {
  /// The guest gets a #VE: the page waits to be accepted.
  case pending(GPA, Level)
  /// An EPT violation: an exit.
  case violation(GPA, Level)
}
