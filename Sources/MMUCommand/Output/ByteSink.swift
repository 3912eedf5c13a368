import Paging
import Report
import SystemPackage

/// Where bytes of memory go: raw to standard output or a file, or as a hexdump.
struct ByteSink: ~Copyable {
  private var output = StandardOutput()
  private let file: (name: String, descriptor: FileDescriptor)?
  private let isHexdump: Bool
  private var address: GVA
  private var row: [UInt8] = []

  /// A sink.
  ///
  /// - Throws: `FileFailure`: the file cannot be created.
  init(file name: String?, asHexdump: Bool, from address: GVA) throws(FileFailure) {
    isHexdump = asHexdump
    self.address = address
    guard let name else {
      file = nil
      return
    }
    do {
      file = (
        name,
        try FileDescriptor.open(
          FilePath(name), .writeOnly, options: [.create, .truncate, .closeOnExec],
          permissions: [.ownerReadWrite, .groupRead, .otherRead])
      )
    } catch {
      throw FileFailure(name, "cannot be written: \(error)")
    }
  }

  deinit { try? file?.descriptor.close() }

  mutating func write(_ bytes: [UInt8]) throws {
    if let file {
      do {
        try file.descriptor.writeAll(bytes)
      } catch {
        throw FileFailure(file.name, "cannot be written: \(error)")
      }
    } else if isHexdump {
      for byte in bytes {
        row.append(byte)
        if row.count == Hexdump.width { try flushRow() }
      }
    } else {
      try output.write(piece: bytes)
    }
  }

  mutating func finish() throws {
    if !row.isEmpty { try flushRow() }
    try output.flush()
  }

  private mutating func flushRow() throws {
    try output.write(Hexdump.line(row, at: address.rawValue))
    address = address.wrappingAdd(UInt64(row.count))
    row.removeAll(keepingCapacity: true)
  }
}
