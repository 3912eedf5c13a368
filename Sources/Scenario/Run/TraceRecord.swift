import Machine
public import Paging
public import Report
import X86

/// One access of a trace, and how it ended where that was recorded.
public struct TraceRecord: Sendable {
  /// How an access ended.
  public enum Outcome: Sendable, Hashable {
    /// It went through, at a guest physical address where there is one.
    case done(gpa: GPA?)
    /// The guest got an exception.
    case fault(vector: UInt8, errorCode: UInt32)
    /// The hypervisor inside the guest got an exit.
    case reflected(ExitCause)
    /// The host could not go on.
    case failed
  }

  /// The access.
  public var access: AccessAction
  /// How it ended, or `nil`.
  public var outcome: Outcome?

  init(access: AccessAction, outcome: Outcome?) {
    self.access = access
    self.outcome = outcome
  }

  /// The record's line of a trace.
  public var json: JSONLine {
    var line = JSONLine()
    line.add("vcpu", access.vcpu)
    line.add("op", access.kind == .read ? "r" : access.kind == .write ? "w" : "x")
    line.add("va", access.va)
    line.add("size", access.size)
    line.add("user", access.isUser)
    if access.isImplicit { line.add("implicit", true) }
    if access.alignmentCheck { line.add("ac", true) }
    if access.handlesExceptions { line.add("handled", true) }
    if access.kind == .write { line.add("value", "0x" + String(access.value, radix: 16)) }
    switch outcome {
    case nil: break
    case .done(let gpa):
      line.add("ok", true)
      if let gpa { line.add("gpa", gpa) }
    case .fault(let vector, let errorCode):
      line.add("ok", false)
      line.add("vector", Int(vector))
      line.add("error", hex: UInt64(errorCode))
    case .reflected(let cause):
      line.add("ok", false)
      line.add("reflected", cause.rawValue)
    case .failed: line.add("ok", false)
    }
    return line
  }
}

extension TraceRecord.Outcome {
  init(_ report: AccessReport<X86Fault>) {
    switch report.outcome {
    case .done: self = .done(gpa: report.gpa)
    case .fault(let fault):
      self = .fault(vector: fault.vector, errorCode: fault.errorCode.rawValue)
    case .injected(let vector, let errorCode):
      self = .fault(vector: vector, errorCode: errorCode)
    case .reflected(let exit): self = .reflected(exit.cause)
    case .failed: self = .failed
    }
  }
}
