public import Paging
public import X86

/// One access told: what was read, which rules passed or failed, what the processor reports and what
/// would have to be otherwise.
public struct Explanation: Sendable {
  /// How the access ends.
  public enum Outcome: Sendable {
    /// It goes through.
    case granted(Translation<GuestPhysical, X86Rights>)
    /// The processor raises this.
    case refused(X86Fault)
    /// The memory does not hold an entry: nothing is known, which is not "not mapped". `why` follows
    /// "the page".
    case tableUnreadable(entry: GPA, name: String, level: Level, why: String)
    /// Entries kept changing under the walk.
    case contended
  }

  /// What was asked.
  public let situation: AccessSituation
  /// The address that was walked: without the tag that LAM ignores; 32 bits in the 32-bit modes.
  public let linearAddress: GVA
  /// The entries read, root first.
  public let entries: [ExplainedEntry]
  /// The rules, in the order in which the processor asks.
  public let rules: [AccessRule]
  /// How the access ends, as the walker says.
  public let outcome: Outcome
  /// The error code of a page fault, bit by bit; empty for any other end.
  public let errorCodeBits: [ErrorCodeBit]
  /// The smallest changes that would let a refused access through.
  public let remedies: [Remedy]

  /// How the page is cached; `nil` where the access does not arrive.
  public var memoryType: EffectiveMemoryType? {
    guard case .granted(let translation) = outcome else { return nil }
    return EffectiveMemoryType(
      leaf: situation.registers.mode == .none ? nil : translation.leaf, at: translation.level,
      situation.caching.table, range: situation.caching.range(of: translation.address),
      cacheDisable: situation.registers.cr0.contains(.cacheDisable))
  }

  /// The rule that decided: the first that failed.
  public var decidingRule: AccessRule? { rules.first { $0.verdict == .failed } }

  /// The error code that `errorCodeBits` make.
  public var errorCode: PageFaultErrorCode {
    PageFaultErrorCode(
      rawValue: errorCodeBits.reduce(0) { $0 | ($1.isSet ? 1 << UInt32($1.bit) : 0) })
  }
}
