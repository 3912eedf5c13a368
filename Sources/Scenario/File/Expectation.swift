public import Paging
public import X86TDX

/// What must come of a step; what is not named may be anything.
public struct Expectation: Sendable {
  /// The line of the expectation.
  public var line = 0
  /// Whether the access goes through.
  public var ok: Bool?
  /// The number read.
  public var value: UInt128?
  /// The text read.
  public var text: String?
  /// The bytes read.
  public var bytes: [UInt8]?
  /// The vector and error code of the guest's exception.
  public var fault: (vector: UInt64, error: UInt64)?
  /// What the hypervisor inside the guest gets; what is not named may be anything.
  public var reflected: Reflected?
  /// The guest physical address.
  public var gpa: GPA?
  /// All exits by cause; causes that are not named must not occur.
  public var exits: [ExitCause: Int]?
  /// A bound on all exits.
  public var exitsAtMost: Int?
  /// Whether the TLB hits.
  public var tlbHit: Bool?
  /// What the step counts: written pages, or leaves.
  public var count: Int?
  /// How many pages come from elsewhere.
  public var fetched: Int?
  /// What the TDX module answers, or the host to a trust domain's guest.
  public var status: Status?
  /// What the guest is told of its #VE; parts that are not named may be anything.
  public var exception: (gpa: UInt64?, gva: UInt64?, qualification: UInt64?)?
  /// Whether the access goes to the MMIO bus.
  public var isMMIO: Bool?
  /// Which stale translations the step uses.
  public var stale: Stale?

  /// An answer to a trust domain or its host.
  public enum Status: Sendable, Hashable, CaseIterable {
    /// Of the TDX module.
    case module(TDXStatus)
    /// Of the host.
    case host(TDVMCallStatus)

    /// All of both.
    public static var allCases: [Status] {
      TDXStatus.allCases.map(Status.module) + TDVMCallStatus.allCases.map(Status.host)
    }

    /// The name in the specification.
    public var name: String {
      switch self {
      case .module(let status): status.description
      case .host(let status): status.description
      }
    }
  }

  /// Which stale translations a step may use, and must.
  public enum Stale: String, Sendable, CaseIterable {
    /// None.
    case none
    /// Some, all of which the guest has yet to flush.
    case guest
    /// Some that a hypervisor inside the guest has yet to flush, and none that the MMU should have
    /// dropped.
    case hypervisor
    /// One at least that the MMU should have dropped.
    case mmu
  }

  /// Where several outcomes are allowed: all of one of these must hold, besides what else is named.
  public var anyOf: [Expectation] = []

  /// An exit that the hypervisor inside the guest gets.
  public struct Reflected: Sendable {
    /// The exit's kind.
    public var cause: ExitCause
    /// The exit qualification, or EXITINFO1.
    public var information: UInt64?
    /// The inner guest's physical address.
    public var gpa: UInt64?
    /// The inner guest's linear address.
    public var va: UInt64?
  }

  /// Whether the file says that the step does not get through.
  var toleratesProblem: Bool {
    switch status {
    case .module(let status): ok == false || status != .success
    case .host(let status): ok == false || status != .success
    case nil: ok == false
    }
  }
}
