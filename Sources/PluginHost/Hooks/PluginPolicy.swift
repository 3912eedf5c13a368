public import Paging
internal import Synchronization

/// A plugin as the policy of a machine: the hooks `fault_policy`, `mapping_level`, `gfn_access`,
/// `memory_type`, `prefetch_window`, `flood_threshold`, `nx_recovery` and `zap_policy`; those it does
/// not serve change nothing.
///
/// Several plugins are a `PolicyStack` of these (SPEC H4).
@safe
public final class PluginPolicy: MMUPolicy {
  /// What a refused answer does (SPEC H3).
  public enum Refusal: Sendable, Hashable {
    /// The machine stops: from then on every verdict is `exit`.
    case stop
    /// The MMU goes on as without the plugin.
    case useDefault
  }

  /// The plugin.
  public let plugin: Plugin
  /// What a refused answer does.
  public let onRefusal: Refusal
  private let level, access, type: BoundHook?
  // PERF: plugin.call; `plugin` keeps both, so a verdict counts no reference.
  private let verdict: (plugin: Unmanaged<Plugin>, hook: Unmanaged<BoundHook>)?
  private let refused = Mutex<(first: PluginError?, count: Int)>((nil, 0))
  // PERF: plugin.call; asked of every fault, so no lock.
  private let stops = Atomic(false)

  /// A plugin as a policy.
  public init(_ plugin: Plugin, onRefusal: Refusal = .stop) {
    self.plugin = plugin
    self.onRefusal = onRefusal
    unsafe verdict = plugin.hook(.faultPolicy).map {
      unsafe (.passUnretained(plugin), .passUnretained($0))
    }
    level = plugin.hook(.mappingLevel)
    access = plugin.hook(.gfnAccess)
    type = plugin.hook(.memoryType)
  }

  /// The first answer that was refused, or `nil`.
  public var firstRefusal: PluginError? { refused.withLock { $0.first } }

  /// How many answers were refused. **Units** answers.
  public var refusalCount: Int { refused.withLock { $0.count } }

  /// The plugin's verdict.
  public func verdict(on fault: FaultInfo) -> FaultVerdict {
    guard let verdict = unsafe verdict else { return mustStop ? .exit : .proceed }
    if mustStop { return .exit }
    // SAFETY: the plugin holds its hooks, and this object the plugin.
    let answer = unsafe verdict.plugin._withUnsafeGuaranteedRef { plugin in
      unsafe verdict.hook._withUnsafeGuaranteedRef { hook in
        Result { () throws(PluginError) in try plugin.verdict(hook, on: fault) }
      }
    }
    switch answer {
    case .success(let verdict): return verdict
    case .failure(let error):
      note(error)
      return onRefusal == .stop ? .exit : .proceed
    }
  }

  /// The plugin's level, no larger than what is allowed.
  public func mappingLevel(for fault: FaultInfo) -> Level {
    guard let level else { return fault.largestLevel }
    do {
      return try plugin.mappingLevel(level, for: fault)
    } catch {
      note(error)
      return fault.largestLevel
    }
  }

  /// What the plugin takes away.
  public func withheldPermissions(gfn: GFN) -> Permissions {
    guard let access else { return [] }
    do {
      return try plugin.withheldPermissions(access, gfn: gfn)
    } catch {
      note(error)
      // A run that stops must not have granted what the plugin may have meant to keep.
      return onRefusal == .stop ? .all : []
    }
  }

  /// The plugin's memory type.
  public func memoryType(gfn: GFN) -> (type: MemoryType, ignoresPAT: Bool)? {
    guard let type else { return nil }
    do {
      return try plugin.memoryType(type, gfn: gfn)
    } catch {
      note(error)
      return nil
    }
  }

  /// The plugin's window.
  public func prefetchWindow(for fault: FaultInfo, standard: Int) -> Int {
    number(standard) { () throws(PluginError) in try plugin.prefetchWindow(for: fault) }
  }

  /// The plugin's threshold.
  public func floodThreshold(gfn: GFN, standard: Int) -> Int {
    number(standard) { () throws(PluginError) in
      try plugin.floodThreshold(gfn: gfn, standard: standard)
    }
  }

  /// The plugin's number.
  public func nxRecovery(splitCount: Int, standard: Int) -> Int {
    number(standard) { () throws(PluginError) in
      try plugin.nxRecovery(splitCount: splitCount, standard: standard)
    }
  }

  /// The plugin's choice.
  public func zapChoice(among candidates: [ZapCandidate]) -> Int? {
    do {
      return try plugin.zapChoice(among: candidates)
    } catch {
      note(error)
      return nil
    }
  }

  private func number(_ standard: Int, _ ask: () throws(PluginError) -> Int?) -> Int {
    do {
      return try ask() ?? standard
    } catch {
      note(error)
      return standard
    }
  }

  private var mustStop: Bool { stops.load(ordering: .acquiring) }

  private func note(_ error: PluginError) {
    if onRefusal == .stop { stops.store(true, ordering: .releasing) }
    refused.withLock {
      if $0.first == nil { $0.first = error }
      $0.count &+= 1
    }
  }
}
