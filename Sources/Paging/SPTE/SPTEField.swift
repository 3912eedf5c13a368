/// A field of an SPTE layout: bits, and the part they play.
public struct SPTEField: Sendable, Hashable {
  /// What the MMU uses a field for; each role but `own` occurs at most once in a layout.
  public enum Role: String, Sendable, Hashable, CaseIterable {
    /// Hardware may read (EPT), or the entry is present (legacy, NPT).
    case readable
    /// Hardware may write.
    case writable
    /// Hardware may execute where the bit is 1 (EPT).
    case executable
    /// Hardware may not execute where the bit is 1 (legacy, NPT).
    case noExecute
    /// User mode may use the page (legacy, NPT); user-mode execution (EPT with MBEC).
    case user
    /// The memory type of a leaf.
    case memoryType
    /// The leaf's memory type wins over the guest's PAT.
    case ignorePAT
    /// The entry maps a large page.
    case pageSize
    /// Hardware has used the entry.
    case accessed
    /// Hardware has written through the entry.
    case dirty
    /// The address of the page or table.
    case address
    /// The MMU regards the entry as present, whatever hardware sees.
    case mmuPresent
    /// How accessed and dirty state is kept: 0 by hardware, 1 without A and D, 2 by hardware but
    /// write-protected for dirty tracking.
    case adKind
    /// The host allows writes to the page.
    case hostWritable
    /// The MMU may make the entry writable without asking.
    case mmuWritable
    /// The readable bit of an entry whose access is tracked.
    case savedReadable
    /// The executable bit of an entry whose access is tracked.
    case savedExecutable
    /// The user-execute bit of an entry whose access is tracked.
    case savedUserExecutable
    /// A violation by this entry is an exit and not a #VE.
    case suppressVE
    /// The protection key of a leaf (legacy shadow).
    case protectionKey
    /// How the memory that the entry leads to is encrypted.
    case encryption
    /// The low part of an MMIO entry's generation.
    case mmioGenerationLow
    /// The high part of an MMIO entry's generation.
    case mmioGenerationHigh
    /// What the encoder alone reads and writes; the MMU keeps it and looks away.
    case own
  }

  /// The forms that an SPTE takes; fields of one form must not overlap.
  public struct Forms: OptionSet, Sendable, Hashable {
    /// Bit 0 leaf, 1 table, 2 MMIO.
    public let rawValue: UInt8
    /// Takes the bits as they are.
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// A present entry that maps a page.
    public static var leaf: Forms { Forms(rawValue: 1) }
    /// A present entry that points to a table.
    public static var table: Forms { Forms(rawValue: 2) }
    /// An entry that caches "no memslot here".
    public static var mmio: Forms { Forms(rawValue: 4) }
    /// Leaf and table.
    public static var present: Forms { [.leaf, .table] }
  }

  /// What it is for.
  public let role: Role
  /// In which entries.
  public let forms: Forms
  /// Its bits, name and source.
  public let field: BitField

  /// A field of a layout.
  public init(_ role: Role, in forms: Forms, _ field: BitField) {
    self.role = role
    self.forms = forms
    self.field = field
  }
}

extension [SPTEField] {
  /// The fields of a layout whose MMIO entries hold no generation (SPEC E7).
  public var withoutGeneration: [SPTEField] {
    filter { $0.role != .mmioGenerationLow && $0.role != .mmioGenerationHigh }
  }
}
