public import Paging

/// What plugins add to a machine when it is composed.
public struct MachineExtensions: Sendable {
  /// The MMIO mask in place of the encoder's own.
  public var mmioMask: MMIOMask?
  /// Policies, in the order of stacking.
  public var policies: [any MMUPolicy]

  /// Nothing.
  public init(mmioMask: MMIOMask? = nil, policies: [any MMUPolicy] = []) {
    self.mmioMask = mmioMask
    self.policies = policies
  }
}
