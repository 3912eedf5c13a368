/// What became of an exit (SPEC F1).
public enum FaultOutcome: Sendable, Hashable {
  /// The tables now let the access through: try again.
  case fixed
  /// They let it through already: try again.
  case spurious
  /// Something changed meanwhile: try again.
  case retry
  /// No memory is there, or a policy wants it so: do the access on the MMIO bus.
  case emulate(GPA)
  /// The tables may not let the access through by themselves (a write to a tracked table): do it by
  /// software on the memory at this address, which the guest's own tables grant, and tell the MMU.
  case perform(GPA)
  /// Raise an exception in the guest.
  case inject(vector: UInt8, errorCode: UInt32)
  /// The tables of a hypervisor inside the guest refuse its guest's access: that hypervisor gets the
  /// exit.
  case reflect(ReflectedExit)
  /// The access cannot go on.
  case failed(FaultError)
}
