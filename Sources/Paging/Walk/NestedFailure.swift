/// Why an address has no translation through both levels.
@frozen
public enum NestedFailure<GuestFault: Error, SecondFault: Error, HostFailure: Error>: Error {
  /// The guest's tables refuse: the guest gets this exception, without an exit.
  case guest(GuestFault)
  /// The second level refuses: an exit.
  case exit(SecondFault)
  /// The second level's own tables lie outside host memory.
  case unreadable(HostFailure)
  /// Entries kept changing.
  case contended
}
