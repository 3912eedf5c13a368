/// What may be decided differently without touching the MMU: asked once a fault, never once a walk.
///
/// Every requirement has a default that changes nothing.
public protocol MMUPolicy: Sendable {
  /// How the MMU's threads take turns.
  associatedtype Pacing: MMUPacing = FreeRunning
  /// How the MMU's threads take turns; asked for once, when the MMU is composed.
  var pacing: Pacing { get }
  /// What becomes of a fault.
  func verdict(on fault: FaultInfo) -> FaultVerdict
  /// The largest level to map; answers above what is allowed are lowered to it.
  func mappingLevel(for fault: FaultInfo) -> Level
  /// The permissions to take away from a new leaf, asked of the frame that faulted.
  ///
  /// A leaf above 4 KiB maps other frames too: a policy that withholds from single frames lowers
  /// `mappingLevel(for:)` around them.
  func withheldPermissions(gfn: GFN) -> Permissions
  /// The memory type of a new leaf, and whether it wins over the guest's PAT; `nil` for the default.
  func memoryType(gfn: GFN) -> (type: MemoryType, ignoresPAT: Bool)?
  /// How many neighbours to map with the page of a fault, for an MMU that prefetches (SPEC F9).
  ///
  /// - Parameters:
  ///   - fault: what was asked, and where.
  ///   - standard: what counts without a policy. **Units** entries, the fault's included.
  func prefetchWindow(for fault: FaultInfo, standard: Int) -> Int
  /// After how many writes in a row the shadow of a guest's table goes, for a shadow MMU (F8).
  func floodThreshold(gfn: GFN, standard: Int) -> Int
  /// How many pages that were split for execution are made large again in one period (T6).
  ///
  /// - Parameters:
  ///   - splitCount: how many there are; answers above it are lowered to it.
  ///   - standard: what counts without a policy.
  func nxRecovery(splitCount: Int, standard: Int) -> Int
  /// Which table goes when the pool is short (T9): an index of `candidates`, or `nil` for the
  /// MMU's own choice.
  func zapChoice(among candidates: [ZapCandidate]) -> Int?
}

extension MMUPolicy where Pacing == FreeRunning {
  /// They do not.
  @inlinable
  public var pacing: FreeRunning { FreeRunning() }
}

extension MMUPolicy {
  /// Goes on.
  @inlinable
  public func verdict(on fault: FaultInfo) -> FaultVerdict { .proceed }
  /// As large as allowed.
  @inlinable
  public func mappingLevel(for fault: FaultInfo) -> Level { fault.largestLevel }
  /// Nothing.
  @inlinable
  public func withheldPermissions(gfn: GFN) -> Permissions { [] }
  /// The default.
  @inlinable
  public func memoryType(gfn: GFN) -> (type: MemoryType, ignoresPAT: Bool)? { nil }
  /// The standard.
  @inlinable
  public func prefetchWindow(for fault: FaultInfo, standard: Int) -> Int { standard }
  /// The standard.
  @inlinable
  public func floodThreshold(gfn: GFN, standard: Int) -> Int { standard }
  /// The standard.
  @inlinable
  public func nxRecovery(splitCount: Int, standard: Int) -> Int { standard }
  /// The MMU's own.
  @inlinable
  public func zapChoice(among candidates: [ZapCandidate]) -> Int? { nil }
}
