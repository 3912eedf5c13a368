public import Paging

/// A guest physical address that no backed memslot holds.
public struct GuestMemoryHole: Error, Sendable, Hashable {
  /// The address.
  public let gpa: GPA

  @usableFromInline
  init(gpa: GPA) { self.gpa = gpa }
}
