package import Paging

/// Where a machine and the reference disagree.
package struct Difference: Error, CustomStringConvertible, Sendable {
  /// What was compared.
  package enum Kind: Sendable, Equatable {
    /// Where an access went, or which exception it raised.
    case outcome
    /// The bytes read, or written.
    case data
    /// A and D.
    case marks
    /// What the tables hold together (SPEC F18).
    case audit
    /// What the machine says of stale translations.
    case stale
  }

  /// A way in which an access may end.
  package enum Outcome: Sendable, Hashable {
    case done(GPA)
    case fault(vector: UInt8, errorCode: UInt32)

    var yaml: String {
      switch self {
      case .done(let gpa): "{ok: true, gpa: \(gpa.rawValue.hex)}"
      case .fault(let vector, let code):
        "{fault: {vector: \(vector), error: \(UInt64(code).hex)}}"
      }
    }
  }

  package let kind: Kind
  package let description: String
  /// The outcomes that would have been right.
  package var allowed: [Outcome] = []
  /// The number that should have been read.
  package var value: UInt128?

  /// What a scenario expects of the step that failed; nothing where its steps cannot say it.
  package var expectation: String? {
    switch kind {
    case .outcome where allowed.isEmpty: return nil
    case .outcome:
      return "{any-of: [\(allowed.map(\.yaml).joined(separator: ", "))]}"
    case .data: return value.map { "{value: 0x\(String($0, radix: 16))}" }
    case .marks: return nil
    case .stale: return "{stale: none}"
    case .audit: return "{ok: true}"
    }
  }
}
