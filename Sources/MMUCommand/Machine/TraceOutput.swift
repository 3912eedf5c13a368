import Report
import Scenario
import SystemPackage

/// A trace that is being written.
final class TraceOutput {
  private let path: String
  private let descriptor: FileDescriptor
  private var buffer: [UInt8] = []
  private var failure: FileFailure?
  private static var pieceSize: Int { 1 << 16 }

  /// Makes the file, or empties it.
  ///
  /// - Throws: `FileFailure`: it cannot be written.
  init(_ path: String) throws(FileFailure) {
    self.path = path
    descriptor = try OutputFile.create(path)
  }

  deinit { try? descriptor.close() }

  /// Adds one access; what goes wrong is told by `close`.
  func add(_ record: TraceRecord) {
    buffer += record.json.utf8
    buffer.append(UInt8(ascii: "\n"))
    if buffer.count >= Self.pieceSize { flush() }
  }

  /// Writes what is left.
  ///
  /// - Throws: `FileFailure`: some of the trace could not be written.
  func close() throws(FileFailure) {
    flush()
    if let failure { throw failure }
  }

  private func flush() {
    defer { buffer.removeAll(keepingCapacity: true) }
    guard failure == nil else { return }
    do {
      try descriptor.writeAll(buffer)
    } catch {
      failure = FileFailure(path, "cannot be written: \(error)")
    }
  }
}
