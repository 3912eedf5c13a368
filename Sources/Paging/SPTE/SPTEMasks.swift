/// The masks of a layout's fields, one word each; 0 where the layout lacks the field.
@frozen
public struct SPTEMasks: Sendable, Hashable {
  /// The mask of the role of the same name.
  public let readable, writable, executable, noExecute, user: UInt64
  /// The mask of the role of the same name.
  public let memoryType, ignorePAT, pageSize, accessed, dirty, address: UInt64
  /// The mask of the role of the same name.
  public let mmuPresent, adKind, hostWritable, mmuWritable: UInt64
  /// The mask of the role of the same name.
  public let savedReadable, savedExecutable, savedUserExecutable, suppressVE: UInt64
  /// The mask of the role of the same name.
  public let protectionKey, encryption: UInt64
  /// The mask of the role of the same name.
  public let mmioGenerationLow, mmioGenerationHigh: UInt64

  /// The masks of a table of fields.
  public init(_ fields: [SPTEField]) {
    func mask(_ role: SPTEField.Role) -> UInt64 {
      fields.first { $0.role == role }?.field.mask ?? 0
    }
    readable = mask(.readable)
    writable = mask(.writable)
    executable = mask(.executable)
    noExecute = mask(.noExecute)
    user = mask(.user)
    memoryType = mask(.memoryType)
    ignorePAT = mask(.ignorePAT)
    pageSize = mask(.pageSize)
    accessed = mask(.accessed)
    dirty = mask(.dirty)
    address = mask(.address)
    mmuPresent = mask(.mmuPresent)
    adKind = mask(.adKind)
    hostWritable = mask(.hostWritable)
    mmuWritable = mask(.mmuWritable)
    savedReadable = mask(.savedReadable)
    savedExecutable = mask(.savedExecutable)
    savedUserExecutable = mask(.savedUserExecutable)
    suppressVE = mask(.suppressVE)
    protectionKey = mask(.protectionKey)
    encryption = mask(.encryption)
    mmioGenerationLow = mask(.mmioGenerationLow)
    mmioGenerationHigh = mask(.mmioGenerationHigh)
  }
}
