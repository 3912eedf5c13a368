/// Why a machine's memory cannot be kept or put back.
public enum SnapshotError: Error, Sendable, Hashable {
  /// The MMU has state that a snapshot would miss.
  case unsupported
  /// The system gives no memory for it. **Units** bytes.
  case unavailable(byteCount: UInt64)
  /// More memory than snapshots are taken of. **Units** bytes.
  case tooLarge(byteCount: UInt64)
  /// The snapshot is not of this machine.
  case foreign
}

extension SnapshotError: CustomStringConvertible {
  /// One line.
  public var description: String {
    switch self {
    case .unsupported: "this MMU keeps state that a snapshot would miss"
    case .unavailable(let count): "the system has no memory for \(count) bytes of a snapshot"
    case .tooLarge(let count):
      "a snapshot of \(count) bytes of host memory (at most \(HostMemory.largestSnapshot))"
    case .foreign: "the snapshot is of another machine"
    }
  }
}
