/// Which of its memslots a vCPU sees (SPEC T2).
@frozen
public enum AddressSpace: Int, Sendable, Hashable, CaseIterable {
  /// Those of the machine.
  case normal
  /// Those of the machine, and those that system-management mode alone sees.
  case systemManagement
}
