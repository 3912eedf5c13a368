internal import CELF
internal import Glibc

/// Looks at a file before the dynamic loader does: the loader maps segments without comparing them
/// with the file's size, so a truncated shared object ends the process with SIGBUS.
///
/// What is proven of a file that passes: it is a regular file and an ELF shared object of this
/// machine's class, byte order and architecture; its program headers and every segment lie in it;
/// segments to be loaded ascend without overlap and span at most `Limit.span`; the dynamic section
/// lies in one of them and ends, and every table it points to lies in one too.
///
/// Not proven: anything about the code. A well-formed shared object runs as the user who named it,
/// from its constructors on, and can do whatever that user can; it is also not shielded from the
/// program's own memory. Whoever loads a plugin trusts its author.
///
/// **Source** System V ABI, "Program Header", "Dynamic Section".
struct SharedObjectCheck {
  /// Bounds that no sensible plugin reaches.
  enum Limit {
    static let programHeaders = 256
    /// From the lowest to the highest address. **Units** bytes.
    static let span: UInt64 = 1 << 30
    static let dynamicEntries = 1024
  }

  /// The segments to be loaded, ascending.
  private(set) var segments: [ObjectSegment] = []
  private let path: String
  private let file: ReadOnlyFile

  init(path: String) throws(PluginError) {
    self.path = path
    file = try ReadOnlyFile(path: path)
    let header: Elf64_Ehdr = try read(at: 0, "the ELF header")
    try check(header)
    let table = try programHeaders(header)
    for one in table where one.p_type == UInt32(PT_LOAD) { try addLoad(one) }
    guard let first = segments.first, let last = segments.last else {
      throw damaged("no segment to load")
    }
    guard last.end - first.address <= Limit.span else {
      throw damaged("its segments span more than \(Limit.span) bytes")
    }
    let dynamic = table.filter { $0.p_type == UInt32(PT_DYNAMIC) }
    guard let section = dynamic.first, dynamic.count == 1 else {
      throw damaged("\(dynamic.count) dynamic sections (1)")
    }
    try checkDynamic(section)
  }

  private func check(_ header: Elf64_Ehdr) throws(PluginError) {
    let ident = header.e_ident
    guard ident.0 == 0x7F, ident.1 == 0x45, ident.2 == 0x4C, ident.3 == 0x46 else {
      throw damaged("not an ELF file")
    }
    guard ident.4 == UInt8(ELFCLASS64), ident.5 == UInt8(ELFDATA2LSB) else {
      throw damaged("ELF class \(ident.4), data \(ident.5) (64-bit little-endian: 2, 1)")
    }
    guard ident.6 == UInt8(EV_CURRENT), header.e_version == UInt32(EV_CURRENT) else {
      throw damaged("ELF version \(header.e_version) (\(EV_CURRENT))")
    }
    guard header.e_type == UInt16(ET_DYN) else {
      throw damaged("ELF type \(header.e_type), not a shared object (\(ET_DYN))")
    }
    guard header.e_machine == Self.machine else {
      throw damaged("made for ELF machine \(header.e_machine) (this one is \(Self.machine))")
    }
  }

  private static var machine: UInt16 {
    #if arch(x86_64)
    UInt16(EM_X86_64)
    #elseif arch(arm64)
    UInt16(EM_AARCH64)
    #elseif arch(riscv64)
    UInt16(EM_RISCV)
    #endif
  }

  private func programHeaders(_ header: Elf64_Ehdr) throws(PluginError) -> [Elf64_Phdr] {
    let size = MemoryLayout<Elf64_Phdr>.size
    guard Int(header.e_phentsize) == size else {
      throw damaged("program headers of \(header.e_phentsize) bytes (\(size))")
    }
    let count = Int(header.e_phnum)
    guard 1...Limit.programHeaders ~= count else {
      throw damaged("\(count) program headers (1 to \(Limit.programHeaders))")
    }
    var result: [Elf64_Phdr] = []
    for index in 0..<count {
      let (place, overflow) = header.e_phoff.addingReportingOverflow(UInt64(index * size))
      guard !overflow else { throw damaged("program header \(index) lies outside the file") }
      result.append(try read(at: place, "program header \(index)"))
    }
    // The loader reads the table where the first segment maps it, at whatever alignment it has.
    guard header.e_phoff % UInt64(MemoryLayout<Elf64_Phdr>.alignment) == 0 else {
      throw damaged("misaligned program headers")
    }
    return result
  }

  private mutating func addLoad(_ one: Elf64_Phdr) throws(PluginError) {
    let number = segments.count
    let (fileEnd, fileOverflow) = one.p_offset.addingReportingOverflow(one.p_filesz)
    guard !fileOverflow, fileEnd <= file.size else {
      throw damaged(
        "segment \(number) ends at byte \(fileOverflow ? UInt64.max : fileEnd) of a file of "
          + "\(file.size) (truncated)")
    }
    let (end, overflow) = one.p_vaddr.addingReportingOverflow(one.p_memsz)
    guard !overflow, end < 1 << 47, one.p_filesz <= one.p_memsz else {
      throw damaged("segment \(number) has an impossible size")
    }
    let alignment = one.p_align
    guard alignment >= 4096, alignment <= 1 << 30, alignment & (alignment - 1) == 0,
      one.p_vaddr & (alignment - 1) == one.p_offset & (alignment - 1)
    else {
      throw damaged("segment \(number) has alignment \(hex(alignment))")
    }
    if let last = segments.last, last.end > one.p_vaddr & ~4095 {
      throw damaged("segment \(number) overlaps the one before")
    }
    segments.append(
      ObjectSegment(
        address: one.p_vaddr, end: end, fileOffset: one.p_offset, fileSize: one.p_filesz,
        isExecutable: one.p_flags & UInt32(PF_X) != 0, isReadable: one.p_flags & UInt32(PF_R) != 0))
  }

  private func checkDynamic(_ section: Elf64_Phdr) throws(PluginError) {
    let size = MemoryLayout<Elf64_Dyn>.size
    guard let offset = fileOffset(of: section.p_vaddr, count: section.p_filesz),
      section.p_filesz >= UInt64(size), section.p_vaddr % 8 == 0
    else {
      throw damaged("the dynamic section lies in no segment")
    }
    var values: [Int64: UInt64] = [:]
    let room = min(section.p_filesz / UInt64(size), UInt64(Limit.dynamicEntries))
    var hasEnd = false
    for index in 0..<room {
      let place = offset + index * UInt64(size)
      let tag: Int64 = try read(at: place, "the dynamic section")
      let value: UInt64 = try read(at: place + 8, "the dynamic section")
      if tag == Int64(DT_NULL) {
        hasEnd = true
        break
      }
      // Several entries of one kind: needed libraries, which are offsets into the string table.
      values[tag] = tag == Int64(DT_NEEDED) ? max(values[tag] ?? 0, value) : value
    }
    guard hasEnd else { throw damaged("the dynamic section does not end") }
    for (table, length, name) in Self.tables {
      guard let address = values[Int64(table)] else { continue }
      let count = length.map { values[Int64($0)] ?? 0 } ?? 1
      guard isMapped(address, count: max(count, 1)) else {
        throw damaged("its \(name) lies in no segment")
      }
    }
    for (tag, name) in Self.required where values[Int64(tag)] == nil {
      throw damaged("it has no \(name)")
    }
    let strings = values[Int64(DT_STRSZ)] ?? 0
    for tag in [DT_NEEDED, DT_SONAME, DT_RUNPATH, DT_RPATH] {
      if let name = values[Int64(tag)], name >= strings {
        throw damaged("a name lies outside its string table")
      }
    }
  }

  /// Tables that the loader reads, the tag of their length in bytes where they have one, their name.
  private static var tables: [(Int32, Int32?, String)] {
    [
      (DT_STRTAB, DT_STRSZ, "string table"), (DT_SYMTAB, nil, "symbol table"),
      (DT_HASH, nil, "hash table"), (DT_GNU_HASH_TAG, nil, "hash table"),
      (DT_RELA, DT_RELASZ, "relocation table"), (DT_JMPREL, DT_PLTRELSZ, "relocation table"),
      (DT_PLTGOT, nil, "offset table"), (DT_INIT, nil, "initializer"), (DT_FINI, nil, "finalizer"),
      (DT_INIT_ARRAY, DT_INIT_ARRAYSZ, "initializers"),
      (DT_FINI_ARRAY, DT_FINI_ARRAYSZ, "finalizers"),
    ]
  }

  private static var required: [(Int32, String)] {
    [(DT_STRTAB, "string table"), (DT_SYMTAB, "symbol table"), (DT_STRSZ, "string table's size")]
  }

  /// `DT_GNU_HASH`, whose value is too large for the way Swift imports the others.
  private static var DT_GNU_HASH_TAG: Int32 { 0x6FFF_FEF5 }
}

extension SharedObjectCheck {
  private func damaged(_ reason: String) -> PluginError {
    .notSharedObject(path: path, reason: reason)
  }

  private func read<T: BitwiseCopyable>(
    at offset: UInt64, _ what: String
  ) throws(PluginError) -> T {
    guard let value: T = file.read(at: offset) else {
      throw damaged("\(what) lies outside the file (\(file.size) bytes)")
    }
    return value
  }

  private func fileOffset(of address: UInt64, count: UInt64) -> UInt64? {
    for one in segments where address >= one.address {
      let inside = address - one.address
      if inside <= one.fileSize, count <= one.fileSize - inside { return one.fileOffset + inside }
    }
    return nil
  }

  private func isMapped(_ address: UInt64, count: UInt64) -> Bool {
    segments.contains {
      address >= $0.address && address < $0.end && count <= $0.end - address
    }
  }
}

/// A segment of a shared object that the loader maps.
struct ObjectSegment: Sendable, Hashable {
  /// Where it starts and ends, relative to the object's base. **Units** bytes.
  let address, end: UInt64
  /// Its bytes in the file; what lies behind them in memory is zero. **Units** bytes.
  let fileOffset, fileSize: UInt64
  /// Its protection.
  let isExecutable, isReadable: Bool
}
