public import Paging
public import X86
public import X86Guest
public import X86PAE

/// All that decides one access, but for the tables: the address, the access and the processor.
public struct AccessSituation: Sendable {
  /// The address, as the instruction has it.
  public var address: GVA
  /// What is done with it.
  public var access: X86Access
  /// The processor's registers.
  public var registers: X86Registers
  /// What the processor can do.
  public let features: X86Features
  /// The PDPTE registers; looked at in PAE mode alone.
  public var pdptes: PDPTERegisters

  /// What decides how the page is cached, besides its entries.
  public var caching = CachingContext()

  /// A situation.
  public init(
    _ access: X86Access, to address: GVA, _ registers: X86Registers, _ features: X86Features,
    pdptes: PDPTERegisters = PDPTERegisters(0, 0, 0, 0)
  ) {
    self.address = address
    self.access = access
    self.registers = registers
    self.features = features
    self.pdptes = pdptes
  }

  /// How the processor translates.
  public var regime: X86Regime { X86Regime(registers, features, pdptes: pdptes) }

  /// The access in words, such as `write by user mode`.
  public var words: String {
    var words = access.isShadowStack ? "shadow-stack \(access.kind)" : "\(access.kind)"
    words += access.isUser ? " by user mode" : " by supervisor mode"
    if access.isImplicit { words += ", implicit" }
    if access.alignmentCheck { words += ", RFLAGS.AC=1" }
    if access.isStack { words += ", through the stack segment" }
    return words
  }
}

/// What decides a memory type besides the tables; no image holds it.
public struct CachingContext: Hashable, Sendable {
  /// IA32_PAT.
  public var table: PageAttributeTable
  /// The MTRRs.
  public var ranges: MemoryTypeRanges
  /// What an EPT leaf says of the page, in place of the MTRRs.
  public var secondLevel: EffectiveMemoryType.Range?

  /// By default the table after reset, over MTRRs that say WB.
  public init(
    table: PageAttributeTable = .afterReset, ranges: MemoryTypeRanges = MemoryTypeRanges()
  ) {
    self.table = table
    self.ranges = ranges
  }

  /// What says the type of a physical address.
  func range(of address: GPA) -> EffectiveMemoryType.Range {
    secondLevel ?? .mtrr(ranges.type(of: address))
  }
}
