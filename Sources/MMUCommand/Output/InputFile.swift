import SystemPackage

/// A file that is read whole.
enum InputFile {
  /// The largest file that is read. **Units** bytes.
  static var largest: Int { 1 << 30 }

  /// The bytes of a file.
  ///
  /// - Throws: `FileFailure`: it cannot be read, or is too large.
  static func read(_ name: String) throws(FileFailure) -> [UInt8] {
    let descriptor: FileDescriptor
    do {
      descriptor = try FileDescriptor.open(FilePath(name), .readOnly, options: .closeOnExec)
    } catch {
      throw FileFailure(name, "cannot be read: \(error)")
    }
    defer { try? descriptor.close() }
    return try read(descriptor, named: name)
  }

  /// The bytes of standard input, to its end.
  ///
  /// - Throws: `FileFailure`: it cannot be read, or is too large.
  static func readStandardInput() throws(FileFailure) -> [UInt8] {
    try read(.standardInput, named: "-")
  }

  private static func read(
    _ descriptor: FileDescriptor, named name: String
  ) throws(FileFailure) -> [UInt8] {
    do {
      var bytes: [UInt8] = []
      var piece = [UInt8](repeating: 0, count: 1 << 16)
      while true {
        let count = try unsafe piece.withUnsafeMutableBytes { buffer in
          // SAFETY: the buffer is the array's, for the length of the call.
          try unsafe descriptor.read(into: buffer)
        }
        if count == 0 { return bytes }
        bytes += piece[..<count]
        if bytes.count > largest { throw FileFailure(name, "more than \(largest) bytes") }
      }
    } catch let failure as FileFailure {
      throw failure
    } catch {
      throw FileFailure(name, "cannot be read: \(error)")
    }
  }
}
