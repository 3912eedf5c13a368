public import Paging
public import X86

/// One access of a processor in a given state, and what it must lead to.
public struct AccessCase: Hashable, Sendable {
  /// The name that reports use.
  public var id: String
  /// The mode that the registers select.
  public var mode: X86Mode
  /// The registers, PKRU and PKRS included.
  public var registers: X86Registers
  /// The processor.
  public var features: X86Features
  /// The entries that memory holds, by GPA: 4 B each in legacy32, else 8 B; all else reads 0.
  public var memory: [UInt64: UInt64]
  /// What is accessed.
  public var address: GVA
  /// How.
  public var access: X86Access
  /// What must come out.
  public var expectation: AccessOutcome

  /// The size of an entry in a mode. **Units** bytes.
  public static func entrySize(_ mode: X86Mode) -> UInt64 { mode == .legacy32 ? 4 : 8 }
}

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

  /// Whether this is what a case asks for.
  public func meets(_ expectation: AccessOutcome) -> Bool {
    guard changed == expectation.changed else { return false }
    switch (result, expectation.result) {
    case (.granted(let gpa, _), .granted(let wanted, pageSize: 0)): return gpa == wanted
    default: return result == expectation.result
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
