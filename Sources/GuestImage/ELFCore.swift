internal import CELF
import Paging

/// An ELF core: `PT_LOAD` headers place memory by physical address, notes describe vCPUs.
///
/// Accepted as QEMU writes them: any `e_ehsize`, section headers before the program headers, data at
/// any alignment, more program headers than 16 bits count. **Source** `elf.h`; System V ABI, "Program
/// Header".
enum ELFCore {
  static func read(_ bytes: ImageBytes) throws(ImageError) -> ImageContents {
    let fileSize = UInt64(bytes.count)
    guard let `class` = bytes.load(UInt8.self, at: UInt64(EI_CLASS)),
      let data = bytes.load(UInt8.self, at: UInt64(EI_DATA)),
      let version = bytes.load(UInt8.self, at: UInt64(EI_VERSION))
    else { throw .headerCutShort("ELF header", offset: 0, fileSize: fileSize) }
    guard data == UInt8(ELFDATA2LSB) else {
      throw .unsupported(
        field: "the ELF data encoding", value: UInt64(data), allowed: "1, little-endian")
    }
    guard version == UInt8(EV_CURRENT) else {
      throw .unsupported(field: "the ELF version", value: UInt64(version), allowed: "1")
    }
    switch Int32(`class`) {
    case ELFCLASS32: return try read(bytes, as: ELF32.self)
    case ELFCLASS64: return try read(bytes, as: ELF64.self)
    default:
      throw .unsupported(
        field: "the ELF class", value: UInt64(`class`), allowed: "1 or 2, 32 or 64 bits")
    }
  }

  private static func read<Class: ELFClass>(
    _ bytes: ImageBytes, as type: Class.Type
  ) throws(ImageError) -> ImageContents {
    let fileSize = UInt64(bytes.count)
    guard let header = bytes.load(Class.Header.self, at: 0).map(Class.fields) else {
      throw .headerCutShort("ELF header", offset: 0, fileSize: fileSize)
    }
    guard header.type == UInt16(ET_CORE) else {
      throw .unsupported(field: "the ELF type", value: UInt64(header.type), allowed: "4, a core")
    }
    let count = try programHeaderCount(header, in: bytes, as: type)
    let stride = UInt64(MemoryLayout<Class.Segment>.size)
    guard count == 0 || UInt64(header.programHeaderSize) == stride else {
      throw .unsupported(
        field: "the size of a program header", value: UInt64(header.programHeaderSize),
        allowed: "\(stride)")
    }
    let (size, overflow) = count.multipliedReportingOverflow(by: stride)
    guard !overflow, bytes.holds(offset: header.programHeaders, size: size) else {
      throw .programHeadersOutside(
        count: count, offset: header.programHeaders, fileSize: fileSize)
    }
    var contents = ImageContents()
    contents.machine = header.machine
    for number in 0..<Int(count) {
      let offset = header.programHeaders + UInt64(number) * stride
      guard let segment = bytes.load(Class.Segment.self, at: offset).map(Class.fields) else {
        throw .programHeadersOutside(
          count: count, offset: header.programHeaders, fileSize: fileSize)
      }
      if segment.type == UInt32(PT_LOAD) {
        if segment.memorySize == 0, segment.fileSize == 0 { continue }
        contents.segments.append(
          ImageSegment(
            number: number, gpa: GPA(segment.physicalAddress), size: segment.memorySize,
            fileOffset: segment.offset, fileSize: segment.fileSize))
      } else if segment.type == UInt32(PT_NOTE), isX86(header.machine) {
        guard bytes.holds(offset: segment.offset, size: segment.fileSize) else {
          throw .segmentCutShort(
            number: number, gpa: GPA(segment.physicalAddress), offset: segment.offset,
            size: segment.fileSize, fileSize: fileSize)
        }
        try readNotes(
          in: bytes, from: segment.offset, size: segment.fileSize, into: &contents.vCPUs)
      }
    }
    return contents
  }

  /// The machines whose vCPU notes are x86 ones.
  static func isX86(_ machine: UInt16) -> Bool {
    machine == UInt16(EM_386) || machine == UInt16(EM_X86_64)
  }

  /// `e_phnum`, or where that is `PN_XNUM` the count in section header 0.
  private static func programHeaderCount<Class: ELFClass>(
    _ header: ELFHeaderFields, in bytes: ImageBytes, as type: Class.Type
  ) throws(ImageError) -> UInt64 {
    guard header.programHeaderCount == UInt16(PN_XNUM) else {
      return UInt64(header.programHeaderCount)
    }
    guard header.sectionHeaders != 0,
      let section = bytes.load(Class.Section.self, at: header.sectionHeaders)
    else {
      throw .headerCutShort(
        "section header that counts the program headers", offset: header.sectionHeaders,
        fileSize: UInt64(bytes.count))
    }
    return UInt64(Class.count(section))
  }

  /// The notes of a run of bytes that lies in the file; those named `QEMU` are vCPUs, others are passed over.
  static func readNotes(
    in bytes: ImageBytes, from start: UInt64, size: UInt64, into vCPUs: inout [VCPUState]
  ) throws(ImageError) {
    let end = start + size
    var offset = start
    var number = 0
    while end - offset >= UInt64(MemoryLayout<Elf64_Nhdr>.size),
      let note = bytes.load(Elf64_Nhdr.self, at: offset)
    {
      let name = offset + UInt64(MemoryLayout<Elf64_Nhdr>.size)
      let descriptor = name + (UInt64(note.n_namesz) + 3) & ~3
      let descriptorEnd = descriptor + UInt64(note.n_descsz)
      guard descriptorEnd <= end else { throw .noteCutShort(number: number, offset: offset) }
      if note.n_namesz == 5, note.n_type == 0,
        bytes.load(UInt32.self, at: name).map(UInt32.init(littleEndian:)) == 0x554D_4551
      {
        vCPUs.append(
          try VCPUState(
            qemuNote: bytes, at: descriptor, size: UInt64(note.n_descsz), number: vCPUs.count))
      }
      offset = min(descriptor + (UInt64(note.n_descsz) + 3) & ~3, end)
      number += 1
    }
  }
}
