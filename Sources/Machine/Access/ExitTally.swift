public import Paging

/// Exits by cause, all of a vCPU's. **Units** exits.
public typealias ExitCounters = ExitTally<Int>

/// Exits by cause, of one access. **Units** exits; the budget of an access is far below 2^16.
public typealias AccessExits = ExitTally<UInt16>

/// Exits by cause. **Units** exits.
@frozen
public struct ExitTally<Count: FixedWidthInteger & BitwiseCopyable & Sendable>: Sendable {
  @usableFromInline var counts = InlineArray<12, Count>(repeating: 0)

  /// All zero.
  @inlinable
  public init() {}

  /// The exits of one cause.
  @inlinable
  public subscript(cause: ExitCause) -> Int {
    get { Int(truncatingIfNeeded: counts[Self.index(of: cause)]) }
    set { counts[Self.index(of: cause)] = Count(truncatingIfNeeded: newValue) }
  }

  /// All exits.
  public var total: Int {
    var sum = 0
    for index in counts.indices { sum += Int(truncatingIfNeeded: counts[index]) }
    return sum
  }

  /// The causes that occurred, in the order of their declaration.
  public var nonzero: [(cause: ExitCause, count: Int)] {
    ExitCause.allCases.map { ($0, self[$0]) }.filter { $0.1 > 0 }
  }

  /// Sums.
  @inlinable
  public static func += <Other>(left: inout ExitTally, right: ExitTally<Other>) {
    for index in left.counts.indices {
      left.counts[index] &+= Count(truncatingIfNeeded: right.counts[index])
    }
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
