/// Handles the exits of one kind of hardware.
///
/// A handler is shared by all vCPUs; what one vCPU brings is its `CPU`, lent for the call.
public protocol FaultHandler: Sendable {
  /// What the hardware reports.
  associatedtype Exit: MMUExit
  /// What one vCPU keeps for the handler: its root, caches and counters.
  associatedtype CPU

  /// Handles one exit.
  func handle(
    _ exit: Exit, on cpu: inout CPU, _ observer: borrowing some MMUObserver
  ) -> FaultOutcome
}
