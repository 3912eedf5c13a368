internal import CELF

/// The structures of one ELF class, from the system's `elf.h`.
protocol ELFClass {
  associatedtype Header: BitwiseCopyable
  associatedtype Segment: BitwiseCopyable
  associatedtype Section: BitwiseCopyable
  static func fields(_ header: Header) -> ELFHeaderFields
  static func fields(_ segment: Segment) -> ELFSegmentFields
  /// `sh_info`.
  static func count(_ section: Section) -> UInt32
}

/// What is looked at in an ELF header.
struct ELFHeaderFields {
  var type: UInt16
  var machine: UInt16
  var programHeaders: UInt64
  var sectionHeaders: UInt64
  var programHeaderSize: UInt16
  var programHeaderCount: UInt16
}

/// What is looked at in a program header.
struct ELFSegmentFields {
  var type: UInt32
  var offset: UInt64
  var physicalAddress: UInt64
  var fileSize: UInt64
  var memorySize: UInt64
}

/// 64-bit structures.
enum ELF64: ELFClass {
  static func fields(_ header: Elf64_Ehdr) -> ELFHeaderFields {
    ELFHeaderFields(
      type: header.e_type, machine: header.e_machine, programHeaders: header.e_phoff,
      sectionHeaders: header.e_shoff, programHeaderSize: header.e_phentsize,
      programHeaderCount: header.e_phnum)
  }

  static func fields(_ segment: Elf64_Phdr) -> ELFSegmentFields {
    ELFSegmentFields(
      type: segment.p_type, offset: segment.p_offset, physicalAddress: segment.p_paddr,
      fileSize: segment.p_filesz, memorySize: segment.p_memsz)
  }

  static func count(_ section: Elf64_Shdr) -> UInt32 { section.sh_info }
}

/// 32-bit structures.
enum ELF32: ELFClass {
  static func fields(_ header: Elf32_Ehdr) -> ELFHeaderFields {
    ELFHeaderFields(
      type: header.e_type, machine: header.e_machine, programHeaders: UInt64(header.e_phoff),
      sectionHeaders: UInt64(header.e_shoff), programHeaderSize: header.e_phentsize,
      programHeaderCount: header.e_phnum)
  }

  static func fields(_ segment: Elf32_Phdr) -> ELFSegmentFields {
    ELFSegmentFields(
      type: segment.p_type, offset: UInt64(segment.p_offset),
      physicalAddress: UInt64(segment.p_paddr), fileSize: UInt64(segment.p_filesz),
      memorySize: UInt64(segment.p_memsz))
  }

  static func count(_ section: Elf32_Shdr) -> UInt32 { section.sh_info }
}
