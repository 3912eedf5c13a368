public import Paging

/// Changes that together let an access through; each was tried by walking again.
public struct Remedy: Hashable, Sendable {
  /// The changes.
  public let changes: [AccessChange]
  /// Where the address leads with them made.
  public let leadsTo: GPA
}
