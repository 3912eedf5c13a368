import SystemPackage

/// A file that is read whole.
enum InputFile {
  /// The largest file that is read. **Units** bytes.
  static var largest: Int { 1 << 30 }

  /// The bytes of a file.
  ///
  /// - Throws: `FileFailure`: it cannot be read, or is too large.
  static func read(_ name: String) throws(FileFailure) -> [UInt8] {
    do {
      let descriptor = try FileDescriptor.open(FilePath(name), .readOnly, options: .closeOnExec)
      defer { try? descriptor.close() }
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
