public import Paging
public import X86EPT
public import X86NPT

/// Why an address of an inner guest's memory cannot be used: an exit to its hypervisor, or a table that
/// the image does not hold, which leaves the answer open.
public enum InnerFailure: Error, Hashable, Sendable {
  /// EPT refuses.
  case ept(EPTExit)
  /// NPT refuses.
  case npt(NestedPageFault)
  /// A table of the second level, or the page itself, is not in the image.
  case unreadable(ImageHole, entry: HPA, level: Level)
  /// Entries kept changing: the memory of a running guest.
  case contended

  init(_ failure: WalkFailure<EPTExit, ImageHole>) {
    switch failure {
    case .fault(let exit): self = .ept(exit)
    case .unreadable(let hole, let entry, let level):
      self = .unreadable(hole, entry: HPA(entry), level: level)
    case .contended: self = .contended
    }
  }

  init(_ failure: WalkFailure<NestedPageFault, ImageHole>) {
    switch failure {
    case .fault(let exit): self = .npt(exit)
    case .unreadable(let hole, let entry, let level):
      self = .unreadable(hole, entry: HPA(entry), level: level)
    case .contended: self = .contended
    }
  }

  /// The exit, or `nil` where nobody knows.
  public var exit: (any SecondLevelExit)? {
    switch self {
    case .ept(let exit): exit
    case .npt(let exit): exit
    case .unreadable, .contended: nil
    }
  }
}

extension InnerFailure: CustomStringConvertible {
  /// Words that follow "the page".
  public var description: String {
    switch self {
    case .ept(.violation(let violation)), .ept(.virtualizationException(let violation)):
      "is refused by EPT: a violation, GPA \(violation.gpa), level \(violation.level),"
        + " qualification 0x\(String(violation.qualification.rawValue, radix: 16))"
    case .ept(.misconfiguration(let exit)):
      "is refused by EPT: a misconfiguration, GPA \(exit.gpa), level \(exit.level),"
        + " entry 0x\(String(exit.entry, radix: 16))"
    case .npt(let fault):
      "is refused by NPT: a nested page fault, GPA \(fault.gpa),"
        + " EXITINFO1 0x\(String(fault.info.rawValue, radix: 16))"
    case .unreadable(let hole, let entry, let level):
      "is not known: a table of the second level (level \(level), HPA \(entry)) or the page itself"
        + " is not in this file (\(hole.gpa))"
    case .contended: "is not known: entries kept changing"
    }
  }
}
