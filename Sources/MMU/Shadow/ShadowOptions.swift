/// What a shadow MMU leaves to its composer.
public struct ShadowOptions: Sendable, Hashable {
  /// When a guest's table counts as something else by now (SPEC F8).
  public enum FloodPolicy: String, Sendable, Hashable, CaseIterable {
    /// Per vCPU, as in 2008: one frame written three times with no accessed bit seen between.
    case perVCPU = "2008"
    /// Per shadow page above the leaf tables: written three times before a fault walks through it.
    case perPage = "per-page"
  }

  /// When a written table is given up.
  public var floodPolicy: FloodPolicy
  /// Whether leaf tables may go out of step with the guest's until it flushes (SPEC F6).
  public var allowsUnsync: Bool
  /// How many neighbours, aligned, are mapped with the one that faulted; 1 for none (SPEC F9).
  /// **Units** entries.
  public var prefetchWindow: Int
  /// Whether the host's processor may log written pages, by the addresses of whoever runs: those of a
  /// guest's guest are of no use, so its writes are found by write protection alone (SPEC E2).
  public var usesModificationLog: Bool

  /// Options.
  public init(
    floodPolicy: FloodPolicy = .perPage, allowsUnsync: Bool = true, prefetchWindow: Int = 8,
    usesModificationLog: Bool = false
  ) {
    self.usesModificationLog = usesModificationLog
    self.floodPolicy = floodPolicy
    self.allowsUnsync = allowsUnsync
    self.prefetchWindow = max(1, min(prefetchWindow, 512))
  }

  /// How many writes are a flood.
  @usableFromInline static var floodThreshold: Int { 3 }
}
