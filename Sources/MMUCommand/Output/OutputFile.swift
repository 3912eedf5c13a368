import SystemPackage

/// Files that a flag names, to be written.
enum OutputFile {
  /// Makes the file, or empties it.
  ///
  /// - Throws: `FileFailure`: it cannot be written.
  static func create(_ path: String) throws(FileFailure) -> FileDescriptor {
    do {
      return try FileDescriptor.open(
        FilePath(path), .writeOnly, options: [.create, .truncate, .closeOnExec],
        permissions: [.ownerReadWrite, .groupRead, .otherRead])
    } catch {
      throw FileFailure(path, "cannot be written: \(error)")
    }
  }

  /// Writes a whole file.
  ///
  /// - Throws: `FileFailure`: it cannot be written.
  static func write(_ text: String, to path: String) throws(FileFailure) {
    let descriptor = try create(path)
    do {
      try descriptor.closeAfter { _ = try descriptor.writeAll(text.utf8) }
    } catch {
      throw FileFailure(path, "cannot be written: \(error)")
    }
  }
}
