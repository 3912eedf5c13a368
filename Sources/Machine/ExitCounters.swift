public import Paging

/// Exits by cause. **Units** exits.
@frozen
public struct ExitCounters: Sendable {
  @usableFromInline var counts = InlineArray<12, Int>(repeating: 0)

  /// All zero.
  @inlinable
  public init() {}

  /// The exits of one cause.
  @inlinable
  public subscript(cause: ExitCause) -> Int {
    get { counts[Self.index(of: cause)] }
    set { counts[Self.index(of: cause)] = newValue }
  }

  /// All exits.
  public var total: Int {
    var sum = 0
    for index in counts.indices { sum += counts[index] }
    return sum
  }

  /// The causes that occurred, in the order of their declaration.
  public var nonzero: [(cause: ExitCause, count: Int)] {
    ExitCause.allCases.map { ($0, self[$0]) }.filter { $0.1 > 0 }
  }

  /// Sums.
  @inlinable
  public static func += (left: inout ExitCounters, right: ExitCounters) {
    for index in left.counts.indices { left.counts[index] += right.counts[index] }
  }

  @inlinable
  static func index(of cause: ExitCause) -> Int {
    switch cause {
    case .eptViolation: 0
    case .eptMisconfiguration: 1
    case .nestedPageFault: 2
    case .shadowPageFault: 3
    case .virtualizationException: 4
    case .pmlFull: 5
    case .dirtyRingFull: 6
    case .memoryFault: 7
    case .invlpg: 8
    case .controlRegisterWrite: 9
    case .tdxExit: 10
    case .error: 11
    }
  }
}
