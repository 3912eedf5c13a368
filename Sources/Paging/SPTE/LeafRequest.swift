/// What is asked of a new leaf SPTE.
@frozen
public struct LeafRequest: Sendable, Hashable {
  /// The first frame of the page; a multiple of the level's size.
  public var pfn: PFN
  /// The level of the leaf.
  public var level: Level
  /// What the guest may do, before tracking takes anything away.
  public var permissions: Permissions
  /// Whether the host allows writes; fixed for as long as the entry is present (SPEC E4).
  public var isHostWritable: Bool
  /// Whether the MMU must see the first write: write tracking or dirty logging took W away.
  public var isWriteProtected: Bool
  /// Whether the MMU may give W back without asking (dirty logging, not write tracking).
  public var isMMUWritable: Bool
  /// The memory type, where the encoder has one.
  public var memoryType: MemoryType
  /// Whether that type wins over the guest's PAT.
  public var ignoresPAT: Bool
  /// Whether nobody has asked for the page yet: A stays clear.
  public var isPrefetch: Bool
  /// Whether the access that asks for it writes: D is set with A.
  public var isWrite: Bool
  /// The guest page's protection key, where the encoder has room for it. **Bits** 3:0.
  public var protectionKey: UInt8
  /// Whether writes must be found by taking W away though hardware keeps D (SPEC E2, A/D kind 2).
  public var isDirtyByProtection: Bool
  /// Whether a violation of the leaf is an exit and never the guest's own exception (SPEC E15).
  public var suppressesExceptions: Bool

  /// A writable page's leaf, with the common choices.
  @inlinable
  public init(
    pfn: PFN, level: Level, permissions: Permissions, isHostWritable: Bool = true,
    isWriteProtected: Bool = false, isMMUWritable: Bool = true,
    memoryType: MemoryType = .writeBack, ignoresPAT: Bool = true, isPrefetch: Bool = false,
    isWrite: Bool = false, protectionKey: UInt8 = 0, suppressesExceptions: Bool = true,
    isDirtyByProtection: Bool = false
  ) {
    self.pfn = pfn
    self.level = level
    self.permissions = permissions
    self.isHostWritable = isHostWritable
    self.isWriteProtected = isWriteProtected
    self.isMMUWritable = isMMUWritable
    self.memoryType = memoryType
    self.ignoresPAT = ignoresPAT
    self.isPrefetch = isPrefetch
    self.isWrite = isWrite
    self.protectionKey = protectionKey
    self.isDirtyByProtection = isDirtyByProtection
    self.suppressesExceptions = suppressesExceptions
  }
}
