public import Paging

/// Why an image, or the registers that go with it, cannot be used. Each description is one line that
/// says what is wrong and what is allowed.
public enum ImageError: Error, Hashable, Sendable {
  /// The file cannot be opened or mapped; the system's words.
  case unusableFile(String)
  /// A directory, a device or a pipe.
  case notRegular
  /// A file of no bytes.
  case empty
  /// The file ends inside a header.
  case headerCutShort(String, offset: UInt64, fileSize: UInt64)
  /// A header field has a value that is not supported.
  case unsupported(field: String, value: UInt64, allowed: String)
  /// The table of program headers does not lie in the file.
  case programHeadersOutside(count: UInt64, offset: UInt64, fileSize: UInt64)
  /// The file holds no memory.
  case noSegments
  /// A segment's bytes run past the end of the file.
  case segmentCutShort(number: Int, gpa: GPA, offset: UInt64, size: UInt64, fileSize: UInt64)
  /// A segment's last byte lies past the last address.
  case segmentTooLong(number: Int, gpa: GPA, size: UInt64)
  /// A segment has more bytes in the file than in memory.
  case segmentOverfull(number: Int, gpa: GPA, fileSize: UInt64, size: UInt64)
  /// A range ends before it starts.
  case rangeReversed(number: Int, start: GPA, end: GPA)
  /// Two segments hold the same address.
  case segmentsOverlap(first: Int, second: Int, gpa: GPA)
  /// A note runs past its segment.
  case noteCutShort(number: Int, offset: UInt64)
  /// A compressed range cannot be decoded.
  case compressedDamaged(number: Int, offset: UInt64, String)
  /// A compressed page cannot be decoded; what is wrong with it.
  case pageDamaged(gpa: GPA, offset: UInt64, String)
  /// The note of a vCPU is of another version or size.
  case noteUnsupported(cpu: Int, version: UInt32, size: UInt64)
  /// The image has no such vCPU.
  case noSuchCPU(asked: Int, count: Int)
  /// Nobody says what CR3 is.
  case noCR3
  /// The image is of another processor and nobody says what x86 mode to read it in.
  case notX86(machine: UInt16)
  /// A file of registers is not what FORMATS says.
  case badRegisters(String)
  /// The memory backend's file is private to QEMU: it does not hold what the guest writes.
  case backendNotShared(name: String)
  /// No memory backend has this file; those that there are.
  case noSuchBackend([String])
  /// A second level maps more than can be followed.
  case secondLevelTooLarge
  /// A present PDPTE has reserved bits.
  case badPDPTE(index: Int, entry: UInt64, bits: UInt64)
}

extension ImageError: CustomStringConvertible {
  /// One line.
  public var description: String {
    switch self {
    case .unusableFile(let reason): reason
    case .notRegular: "not a regular file"
    case .empty: "the file is empty (an ELF core, a LiME, AVML or kdump capture, or raw bytes)"
    case .headerCutShort(let header, let offset, let fileSize):
      "the file ends inside the \(header) at offset \(hex(offset)) (it has \(hex(fileSize)) bytes)"
    case .unsupported(let field, let value, let allowed): "\(field) is \(value) (\(allowed))"
    case .programHeadersOutside(let count, let offset, let fileSize):
      "\(count) program headers at offset \(hex(offset)) do not lie in the file"
        + " (it has \(hex(fileSize)) bytes)"
    case .noSegments: "the file holds no memory segment (at least one)"
    case .segmentCutShort(let number, let gpa, let offset, let size, let fileSize):
      "segment \(number) (GPA \(gpa)) is cut short: \(hex(size)) bytes at offset \(hex(offset))"
        + " (the file has \(hex(fileSize)))"
    case .segmentTooLong(let number, let gpa, let size):
      "segment \(number) (GPA \(gpa)) has \(hex(size)) bytes and passes the last address (2^64 - 1)"
    case .segmentOverfull(let number, let gpa, let fileSize, let size):
      "segment \(number) (GPA \(gpa)) has \(hex(fileSize)) bytes in the file"
        + " (at most its \(hex(size)) bytes of memory)"
    case .rangeReversed(let number, let start, let end):
      "segment \(number) ends at \(end), before its start \(start)"
    case .segmentsOverlap(let first, let second, let gpa):
      "segments \(first) and \(second) overlap at GPA \(gpa) (each address once)"
    case .noteCutShort(let number, let offset):
      "note \(number) at offset \(hex(offset)) runs past its segment"
    case .compressedDamaged(let number, let offset, let what):
      "range \(number) is damaged at offset \(hex(offset)): \(what)"
    case .pageDamaged(let gpa, let offset, let what):
      "the page of GPA \(gpa) is damaged at offset \(hex(offset)): \(what)"
    case .noteUnsupported(let cpu, let version, let size):
      "the QEMU note of vCPU \(cpu) has version \(version) and \(size) bytes"
        + " (version 1, at least 432 bytes)"
    case .noSuchCPU(let asked, let count):
      count == 0
        ? "no vCPU \(asked): the image names none"
        : "no vCPU \(asked) (0...\(count - 1))"
    case .noCR3: "no CR3 in the image or beside it (give --cr3, or --registers FILE)"
    case .notX86(let machine):
      "the image is of ELF machine \(machine) (3 or 62, or give --mode and --cr3)"
    case .badRegisters(let what): what
    case .backendNotShared(let name):
      "QEMU does not share the memory backend \(name) (share=on is needed)"
    case .noSuchBackend(let known):
      known.isEmpty
        ? "QEMU has no memory-backend-file (one with share=on is needed)"
        : "no memory backend of QEMU has this file (\(known.joined(separator: ", ")))"
    case .secondLevelTooLarge:
      "the second level maps more than can be followed (a million tables, four million runs)"
    case .badPDPTE(let index, let entry, let bits):
      "PDPTE \(index), \(hex(entry)), has reserved bits \(hex(bits))"
    }
  }

  private func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
}
