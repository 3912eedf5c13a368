public import Paging

/// Why host memory fails.
public enum HostMemoryError: Error, Sendable, Hashable {
  /// The reservation was refused. **Units** bytes.
  case unavailable(byteCount: UInt64)
  /// An address lies outside the reservation.
  case outside(HPA)
}

extension HostMemoryError: CustomStringConvertible {
  /// One line.
  public var description: String {
    switch self {
    case .unavailable(let count): "cannot reserve \(count) bytes of host memory"
    case .outside(let hpa): "host address \(hpa) lies outside the machine's memory"
    }
  }
}
