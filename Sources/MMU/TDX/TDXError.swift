public import Paging
public import X86TDX

/// Why private memory cannot be changed.
public enum TDXError: Error, Sendable, Hashable {
  /// The module refuses.
  case module(TDXStatus)
  /// No slot has private memory for the frame.
  case unbacked(GFN)
  /// The frame is shared.
  case shared(GFN)
  /// No table page is left for the mirror. **Units** pages.
  case tablePagesExhausted(limit: Int)
}

extension TDXError {
  /// How it stops a vCPU for which the host or the guest asked.
  public func stop(at gpa: GPA) -> FaultError {
    switch self {
    case .module: .refused(gpa, reason: "\(self)")
    case .unbacked, .shared: .memoryFault(gpa, isPrivate: true)
    case .tablePagesExhausted(let limit): .tablePagesExhausted(limit: limit)
    }
  }
}

extension TDXError: CustomStringConvertible {
  /// One line.
  public var description: String {
    switch self {
    case .module(let status): "the TDX module says \(status)"
    case .unbacked(let gfn): "no private memory backs frame \(gfn)"
    case .shared(let gfn): "frame \(gfn) is shared"
    case .tablePagesExhausted(let limit): "the limit of \(limit) table pages is reached"
    }
  }
}
