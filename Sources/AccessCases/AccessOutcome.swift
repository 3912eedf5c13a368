public import Paging

/// What became of one access.
public struct AccessOutcome: Hashable, Sendable {
  /// The address's fate.
  public enum Result: Hashable, Sendable {
    /// Granted: the GPA and the size of the page, which is 0 where a case does not say it.
    case granted(GPA, pageSize: UInt64)
    /// Refused: vector and error code.
    case refused(vector: UInt8, errorCode: UInt32)
    /// The tables kept changing; never in a case, which has one processor.
    case contended
  }

  /// The address's fate.
  public var result: Result
  /// The entries that changed, by GPA.
  public var changed: [UInt64: UInt64]

  /// An outcome.
  public init(_ result: Result, changed: [UInt64: UInt64]) {
    self.result = result
    self.changed = changed
  }

  /// Whether two outcomes are the same, as far as both say it.
  public static func agree(_ one: AccessOutcome, _ other: AccessOutcome) -> Bool {
    guard one.changed == other.changed else { return false }
    switch (one.result, other.result) {
    case (.granted(let gpa, let size), .granted(let otherGPA, let otherSize)):
      return gpa == otherGPA && (size == otherSize || size == 0 || otherSize == 0)
    default: return one.result == other.result
    }
  }
}

extension AccessOutcome: CustomStringConvertible {
  /// One line: `pa 0x… page 0x… changed 0x…=0x…`, or `vector 14 error 0x7`.
  public var description: String {
    func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
    var words =
      switch result {
      case .granted(let gpa, let size): "pa \(gpa) page \(hex(size))"
      case .refused(let vector, let code): "vector \(vector) error \(hex(UInt64(code)))"
      case .contended: "contended"
      }
    for (address, value) in changed.sorted(by: { $0.key < $1.key }) {
      words += ", \(hex(address)) becomes \(hex(value))"
    }
    return words
  }
}
