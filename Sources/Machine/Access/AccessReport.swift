public import Paging

/// What an access amounted to.
@frozen
public struct AccessReport<Fault: Error & Sendable>: Sendable {
  /// How it ended.
  @frozen
  public enum Outcome: Sendable {
    /// Done; for a read, the value read.
    case done(UInt128)
    /// The guest gets an exception that its own tables caused.
    case fault(Fault)
    /// The guest gets an exception that a policy wants.
    case injected(vector: UInt8, errorCode: UInt32)
    /// The hypervisor inside the guest gets an exit, because its tables refuse.
    case reflected(ReflectedExit)
    /// The access cannot go on.
    case failed(FaultError)
  }

  /// How it ended.
  public var outcome: Outcome
  /// The guest physical address of the first byte, where one was found.
  public var gpa: GPA?
  /// The host address of the first byte; `nil` for MMIO.
  public var hpa: HPA?
  /// Whether the first page's translation came from the TLB.
  public var isTLBHit = false
  /// What answered on the MMIO bus, where the access went there.
  public var mmio: MMIOAnswer?
  /// The exits on the way.
  public var exits = AccessExits()

  @inlinable
  init(_ outcome: Outcome) { self.outcome = outcome }
}
