public import Paging

/// Why the memory of a guest's guest does not answer.
public enum NestedViewFailure: Error, Sendable, Hashable {
  /// The hypervisor's tables refuse; what it gets for it.
  case refused(ReflectedExit)
  /// No memslot holds the page, or the hypervisor's table on the way to it.
  case hole(GuestMemoryHole)
}

extension NestedViewFailure: GuestMemoryFailure {
  /// What the tables refuse.
  public var reflected: ReflectedExit? {
    if case .refused(let exit) = self { return exit }
    return nil
  }
}
