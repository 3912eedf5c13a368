public import Paging

/// Hears of writes to guest memory that no vCPU makes: a debugger's, a device's, a tool's.
public protocol WriteTracker: Sendable {
  /// Bytes of guest memory were written.
  func memoryWritten(_ gpa: GPA, byteCount: Int)
}
