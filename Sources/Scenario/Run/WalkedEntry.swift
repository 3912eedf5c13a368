public import Paging

/// One entry of the guest's tables, with its name.
public struct WalkedEntry: Sendable, Hashable {
  /// Such as `PDE`.
  public let name: String
  /// The entry as it was before the step.
  public let step: WalkStep
  /// What it holds after the step.
  public let after: UInt64
}
