import ArgumentParser
import Report
import SystemPackage

/// Standard output, written in large pieces.
///
/// A reader that goes away ends the process with status 0: it has what it wanted.
struct StandardOutput: ~Copyable {
  private var buffer: [UInt8] = []
  private static var pieceSize: Int { 1 << 16 }

  /// Adds a line.
  mutating func write(_ line: String) throws {
    try write(line.utf8)
  }

  /// Adds an object on a line of its own.
  mutating func write(_ line: JSONLine) throws { try write(line.utf8) }

  /// Adds bytes as they are: memory, or lines that have their line feeds already.
  mutating func write(piece: [UInt8]) throws {
    buffer.append(contentsOf: piece)
    if buffer.count >= Self.pieceSize { try flush() }
  }

  private mutating func write(_ bytes: some Collection<UInt8>) throws {
    buffer.append(contentsOf: bytes)
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
    write(unfinished: line + "\n")
  }

  /// Writes a text without a line feed of its own.
  static func write(unfinished text: String) {
    _ = try? FileDescriptor.standardError.writeAll(text.utf8)
  }
}
