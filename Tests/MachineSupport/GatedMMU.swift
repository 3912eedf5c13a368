import Foundation
package import MMU
package import Paging

/// An MMU that lets a test act in the middle of a vCPU's access.
package struct GatedMMU<Base: VirtualMMU>: MMUWrapper {
  package let base: Base
  package let gate: Gate

  package init(_ base: Base, _ gate: Gate) {
    self.base = base
    self.gate = gate
  }

  package func walk<Guest: TranslationRegime>(
    _ gva: GVA, for access: Guest.Access, by guest: Guest, on cpu: inout Base.CPU
  ) -> Result<HardwareTranslation<Guest.Rights>, HardwareFailure<Guest.Fault, Base.Exit>>
  where Guest.Input == GuestVirtual, Guest.Access: MemoryAccess {
    let now = cpu
    gate.pass(.walk) { base.isCurrent(now) }
    return base.walk(gva, for: access, by: guest, on: &cpu)
  }

  package func stay(of cpu: Base.CPU) -> UInt64 {
    // Asked when the lower page is found, and when both are.
    if gate.comes(to: .moving) { gate.pass(.moving) { base.isCurrent(cpu) } }
    return base.stay(of: cpu)
  }

  package func handle(
    _ exit: Base.Exit, on cpu: inout Base.CPU, _ observer: borrowing some MMUObserver
  ) -> FaultOutcome {
    if let action = gate.take(.exit) {
      base.exit(&cpu)
      action()
    }
    return base.handle(exit, on: &cpu, observer)
  }

  package func memoryWritten(
    _ gpa: GPA, byteCount: Int, on cpu: inout Base.CPU, _ observer: borrowing some MMUObserver
  ) {
    let now = cpu
    gate.pass(.telling) { base.isCurrent(now) }
    base.memoryWritten(gpa, byteCount: byteCount, on: &cpu, observer)
  }
}

/// Where a `GatedMMU` stops once, and what happens there.
package final class Gate: Sendable {
  /// A moment of an access.
  package enum Moment: Sendable {
    /// A TLB miss is about to be walked for; the vCPU is inside.
    case walk
    /// Both pages of an access that crosses are found, at the first try; the vCPU is inside.
    case moving
    /// The MMU is about to hear of a write; the vCPU is inside.
    case telling
    /// An exit is about to be handled; the vCPU is outside.
    case exit
  }

  private let armed = Guarded<(moment: Moment, action: @Sendable () -> Void)?>(nil)
  private let visits = Guarded(0)
  private let others = DispatchGroup()

  package init() {}

  /// Has the next access that comes to a moment stop for an action.
  ///
  /// Where the vCPU is inside the action gets a thread, and the access goes on once the action has changed
  /// tables and waits for the vCPU, or is done; where it is outside, when the action is done.
  package func arm(_ moment: Moment, _ action: @escaping @Sendable () -> Void) {
    visits.withLock { $0 = 0 }
    armed.withLock { $0 = (moment, action) }
  }

  /// Whether it is the second time that this is asked of a moment that is waited for.
  func comes(to moment: Moment) -> Bool {
    guard armed.withLock({ $0?.moment == moment }) else { return false }
    return visits.withLock { visits in
      visits += 1
      return visits == 2
    }
  }

  /// Waits for the thread.
  ///
  /// - Returns: false where it was not started, or did not end.
  package func finish() -> Bool {
    armed.withLock { $0 == nil } && others.wait(timeout: .now() + 300) == .success
  }

  func take(_ moment: Moment) -> (@Sendable () -> Void)? {
    armed.withLock { armed in
      guard let (wanted, action) = armed, wanted == moment else { return nil }
      armed = nil
      return action
    }
  }

  func pass(_ moment: Moment, _ isCurrent: () -> Bool) {
    guard let action = take(moment) else { return }
    others.enter()
    let thread = Thread { [others] in
      action()
      others.leave()
    }
    thread.start()
    for _ in 0..<300_000 {
      if !isCurrent() || others.wait(timeout: .now() + .milliseconds(1)) == .success { return }
    }
  }
}
