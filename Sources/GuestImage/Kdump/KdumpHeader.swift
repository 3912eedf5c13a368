internal import CELF

/// What the first two blocks of a kdump file say, of either width.
///
/// **Source** the structures `disk_dump_header` and `kdump_sub_header` of makedumpfile's `diskdump_mod.h`
/// as QEMU writes them.
struct KdumpHeader {
  /// **Units** bytes.
  static var blockSize: UInt64 { 4096 }

  /// `EM_386` or `EM_X86_64`.
  let machine: UInt16
  /// Where the bitmaps begin, in the file; the second half says which frames have a descriptor.
  let bitmap: UInt64
  /// Of both bitmaps. **Units** bytes.
  let bitmapSize: UInt64
  /// The frames that the bitmaps are about: those below. **Units** frames.
  let frameLimit: UInt64
  /// The ELF notes of the vCPUs.
  let notes: (offset: UInt64, size: UInt64)

  /// Where the descriptors begin.
  var descriptors: UInt64 { bitmap + bitmapSize }

  init(_ bytes: ImageBytes) throws(ImageError) {
    func cutShort(_ what: String, _ offset: UInt64) -> ImageError {
      .headerCutShort(what, offset: offset, fileSize: UInt64(bytes.count))
    }
    func field<Word: FixedWidthInteger & BitwiseCopyable>(
      _ type: Word.Type, _ offset: UInt64
    ) throws(ImageError) -> UInt64 {
      guard let word = bytes.load(type, at: offset) else {
        throw cutShort("kdump header", offset)
      }
      return UInt64(truncatingIfNeeded: Word(littleEndian: word))
    }
    // The name of the machine in `utsname`, which alone says how wide the rest is.
    let name = (0..<6).map { bytes.load(UInt8.self, at: 12 + 4 * 65 + UInt64($0)) ?? 0 }
    let isWide = name == Array("x86_64".utf8)
    guard isWide || (name[0] == UInt8(ascii: "i") && name[2...3] == [0x38, 0x36]) else {
      throw .unsupported(
        field: "the machine of the kdump header",
        value: UInt64(name[0]) << 8 | UInt64(name[1]), allowed: "x86_64 or i686")
    }
    machine = UInt16(isWide ? EM_X86_64 : EM_386)
    let version = try field(UInt32.self, 8)
    let block = try field(UInt32.self, isWide ? 428 : 416)
    let subBlocks = try field(UInt32.self, isWide ? 432 : 420)
    let bitmapBlocks = try field(UInt32.self, isWide ? 436 : 424)
    let oldLimit = try field(UInt32.self, isWide ? 440 : 428)
    guard block == Self.blockSize else {
      throw .unsupported(field: "the block size of the kdump header", value: block, allowed: "4096")
    }
    let sub = Self.blockSize
    guard try field(UInt32.self, sub + (isWide ? 12 : 8)) == 0 else {
      throw .unsupported(
        field: "the split flag of the kdump header", value: 1,
        allowed: "0, the whole memory in one file")
    }
    bitmap = (1 + subBlocks) * Self.blockSize
    bitmapSize = bitmapBlocks * Self.blockSize
    guard bytes.holds(offset: bitmap, size: bitmapSize) else {
      throw cutShort("kdump bitmap", bitmap)
    }
    let limit =
      version >= 6 ? try field(UInt64.self, sub + (isWide ? 96 : 72)) : oldLimit
    // A bitmap is half of the blocks, a bit a frame.
    guard limit <= bitmapSize * 4 else {
      throw .unsupported(
        field: "the number of frames of the kdump header", value: limit,
        allowed: "at most \(bitmapSize * 4), one a bit of the bitmap")
    }
    frameLimit = limit
    notes =
      isWide
      ? (try field(UInt64.self, sub + 48), try field(UInt64.self, sub + 56))
      : (try field(UInt64.self, sub + 32), try field(UInt32.self, sub + 40))
    guard notes.size == 0 || bytes.holds(offset: notes.offset, size: notes.size) else {
      throw cutShort("kdump notes", notes.offset)
    }
  }
}
