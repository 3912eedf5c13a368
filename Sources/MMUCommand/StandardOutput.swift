import ArgumentParser
import SystemPackage

/// Standard output, written in large pieces.
///
/// A reader that goes away ends the process with status 0: it has what it wanted.
struct StandardOutput: ~Copyable {
  private var buffer: [UInt8] = []
  private static var pieceSize: Int { 1 << 16 }

  /// Adds a line.
  mutating func write(_ line: String) throws {
    buffer.append(contentsOf: line.utf8)
    buffer.append(UInt8(ascii: "\n"))
    if buffer.count >= Self.pieceSize { try flush() }
  }

  /// Writes what is left; to be called before the command ends.
  mutating func flush() throws {
    do {
      try FileDescriptor.standardOutput.writeAll(buffer)
    } catch Errno.brokenPipe {
      throw ExitCode(0)
    } catch {
      throw FileFailure("standard output", "\(error)")
    }
    buffer.removeAll(keepingCapacity: true)
  }
}

/// Standard error, for diagnostics.
enum StandardError {
  /// Writes a line; where that fails there is nobody to tell.
  static func write(_ line: String) {
    _ = try? FileDescriptor.standardError.writeAll((line + "\n").utf8)
  }
}
