/// Why an access cannot go on, though neither guest nor hardware is at fault.
public enum FaultError: Error, Sendable, Hashable {
  /// A memslot covers the frame but nothing backs it.
  case unbacked(GFN)
  /// No table page is left under the limit. **Units** pages.
  case tablePagesExhausted(limit: Int)
  /// A policy refuses the access.
  case denied(GPA)
  /// A policy stops the machine.
  case stopped(GPA)
  /// An entry that is neither MMIO nor zapped faulted as malformed: a bug; the entries of the walk.
  case malformedEntry(GPA, [WalkStep])
  /// The access exits again and again without getting on.
  case livelock(GPA)
  /// The vCPU's dirty ring must be harvested first.
  case dirtyRingFull(vcpu: Int)
  /// The page is of the other kind: private where it was used as shared, or the other way round.
  case memoryFault(GPA, isPrivate: Bool)
  /// The page has not come from another host yet: the access may be repeated.
  case pageNotYet(GFN)
  /// The page will never come.
  case pageLost(GFN)
  /// The vCPU may not enter the guest, and why.
  case cannotRun(reason: String)
  /// Whoever owns the tables refuses to map the page, and why.
  case refused(GPA, reason: String)
}

extension FaultError {
  /// Under which cause the exit to whoever runs the machine is counted.
  @inlinable
  public var cause: ExitCause {
    if case .memoryFault = self { return .memoryFault }
    return .error
  }
}

extension FaultError: CustomStringConvertible {
  /// One line.
  public var description: String {
    switch self {
    case .unbacked(let gfn): "no host memory backs guest frame \(gfn)"
    case .tablePagesExhausted(let limit): "the limit of \(limit) table pages is reached"
    case .denied(let gpa): "a policy denies access to \(gpa)"
    case .stopped(let gpa): "a policy stops the machine at \(gpa)"
    case .malformedEntry(let gpa, let steps):
      "malformed entry at \(gpa): "
        + steps.map { "level \($0.level) \(SPTE($0.entry))" }.joined(separator: ", ")
    case .dirtyRingFull(let vcpu): "the dirty ring of vCPU \(vcpu) is full"
    case .memoryFault(let gpa, let isPrivate):
      "a \(isPrivate ? "private" : "shared") access to \(gpa), which is of the other kind"
    case .pageNotYet(let gfn): "the page of guest frame \(gfn) has not come yet"
    case .pageLost(let gfn): "the page of guest frame \(gfn) cannot be had"
    case .cannotRun(let reason): "the guest cannot run: \(reason)"
    case .refused(let gpa, let reason): "\(gpa) cannot be mapped: \(reason)"
    case .livelock(let gpa): "the access to \(gpa) exits again and again"
    }
  }
}
