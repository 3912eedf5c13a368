import Paging
public import SystemPackage

/// The memory of a guest, as a file holds it: an ELF core, a LiME, AVML or kdump capture, or raw bytes.
///
/// Read-only and safe to share between threads: everything in it is constant after `init` (but for the
/// bytes of a running guest), which is why it is a class of constants and not an owner that must be
/// lent. As an `EntryMemory` it answers walks; a walk that would set A or D bits is told `.readOnly`.
///
/// The compressed forms, AVML and kdump, are decoded whole, so they must fit in memory. **Not modelled**
/// cores of processes, kdump files that are split or whose pages zstd compressed.
@safe
public final class GuestImage: Sendable {
  /// How the file is laid out.
  public let format: ImageFormat
  /// The memory that the image holds, by ascending address.
  public let segments: [ImageSegment]
  /// The vCPUs that the image describes, in the file's order.
  public let vCPUs: [VCPUState]
  /// The processor that the image names: `e_machine` of an ELF core.
  public let machine: UInt16?
  /// MAXPHYADDR, where QEMU tells it of a running guest. **Units** bits, 32...52.
  public let physicalAddressWidth: Int?
  /// Whether this is the memory of a running guest, which changes meanwhile.
  public let isLive: Bool
  /// Of a guest inside the imaged one: its memory as walks read it. The segments are then what the
  /// second level maps, whatever its rights.
  public let inner: InnerMemory?

  @usableFromInline let table: SegmentTable
  let bytes: ImageBytes
  /// The first byte of `bytes`, which lives as long as this.
  @usableFromInline nonisolated(unsafe) let start: UnsafeRawPointer

  /// Opens an image file.
  ///
  /// - Parameters:
  ///   - path: the file; it is mapped, not read.
  ///   - format: how it is laid out; by default its first bytes tell.
  /// - Throws: `ImageError`: the file cannot be opened, or is damaged.
  public convenience init(
    contentsOf path: FilePath, as format: ImageFormat? = nil
  ) throws(ImageError) {
    try self.init(ImageBytes(path), format)
  }

  /// Reads an image from bytes, which are copied.
  ///
  /// - Throws: `ImageError`: the bytes are damaged.
  public convenience init(
    copying bytes: borrowing RawSpan, as format: ImageFormat? = nil
  ) throws(ImageError) {
    try self.init(ImageBytes(bytes), format)
  }

  /// Reads an image from bytes, which are copied.
  ///
  /// - Throws: `ImageError`: the bytes are damaged.
  public convenience init(
    copying bytes: [UInt8], as format: ImageFormat? = nil
  ) throws(ImageError) {
    // SAFETY: any byte is a UInt8, and the array outlives the copy.
    try self.init(copying: unsafe bytes.span.bytes, as: format)
  }

  private convenience init(_ bytes: ImageBytes, _ format: ImageFormat?) throws(ImageError) {
    let format = format ?? .told(by: bytes)
    let contents: ImageContents
    switch format {
    case .elfCore: contents = try ELFCore.read(bytes)
    case .lime: contents = try LiME.read(bytes)
    case .avml:
      let (ranges, decoded) = try AVML.read(bytes)
      // SAFETY: any byte is a UInt8, and the array outlives the copy.
      try self.init(ImageBytes(unsafe decoded.span.bytes), format, ranges)
      return
    case .kdump:
      let (runs, decoded) = try Kdump.read(bytes)
      try self.init(decoded, format, runs)
      return
    case .raw(let base): contents = try ImageContents(raw: bytes, base: base)
    }
    try self.init(bytes, format, contents)
  }

  /// An image of contents that a reader found.
  ///
  /// - Throws: `ImageError`: the segments do not lie in the bytes, or overlap.
  init(
    _ bytes: ImageBytes, _ format: ImageFormat, _ contents: ImageContents, isLive: Bool = false
  ) throws(ImageError) {
    self.format = format
    segments = try contents.checkedSegments(fileSize: UInt64(bytes.count))
    vCPUs = contents.vCPUs
    machine = contents.machine
    physicalAddressWidth = contents.physicalAddressWidth
    self.isLive = isLive
    inner = nil
    table = SegmentTable(segments)
    self.bytes = bytes
    // SAFETY: `bytes` is kept, so the pointer is good for the life of this object.
    unsafe start = bytes.start
  }

  /// The memory of a guest inside the imaged one, which is all that its second level maps.
  ///
  /// The registers of the vCPUs are those of the image: whose they are the image does not tell.
  ///
  /// - Throws: `ImageError.secondLevelTooLarge`: it maps more than can be followed, as tables that
  ///   point to themselves do.
  public init(inside image: GuestImage, behind second: SecondLevel) throws(ImageError) {
    format = image.format
    segments = try InnerSegments.of(second, in: image)
    vCPUs = image.vCPUs
    machine = image.machine
    physicalAddressWidth = image.physicalAddressWidth
    isLive = image.isLive
    inner = InnerMemory(image, behind: second)
    table = SegmentTable(segments)
    bytes = image.bytes
    // SAFETY: `bytes` is kept, so the pointer is good for the life of this object.
    unsafe start = bytes.start
  }
}
