/// The words by which a scenario calls its steps.
public enum ActionName: String, Sendable, CaseIterable {
  /// Accesses.
  case read, write, fetch
  /// Guest tables and memory, changed from outside.
  case map, poke
  /// INVLPG.
  case invalidatePage = "invlpg"
  /// MOV to a register.
  case setRegister = "set-register"
  /// The same access again and again.
  case repeated = "repeat"
  /// A change of the memslots.
  case memslot
  /// Steps of several vCPUs at once.
  case parallel
  /// The accesses of a trace.
  case replay
  /// A check of the tables.
  case audit
  /// What the host does to the tables.
  case dirtyLog = "dirty-log"
  case age
  case hostUnmap = "host-unmap"
  case nxRecovery = "nx-recovery"
  /// A system-management interrupt, and its end.
  case systemManagement = "smm"
  /// Pages that come before anybody needs them.
  case fetchPages = "fetch-pages"
  /// The whole machine, kept and put back.
  case snapshot, restore
  /// What the hypervisor inside the guest does to its guest's second level.
  case nestedMap = "nested-map"
  case nestedEnter = "nested-enter"
  case invept, invvpid
  /// Private and shared memory.
  case convert, accept, vmcall, tdx

  /// What a vCPU may do while others run.
  static var laneCases: [ActionName] {
    [.read, .write, .fetch, .invalidatePage, .setRegister, .repeated, .convert, .accept, .vmcall]
  }
}
