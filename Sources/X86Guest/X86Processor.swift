public import Paging
public import X86
public import X86PAE

/// An x86 processor's translation state: registers, features, and the regime that follows from them.
///
/// Registers change through the `move…` functions alone, which check what MOV checks and say which
/// cached translations are dropped (SPEC W1, W3, W16).
public struct X86Processor: TranslationRegime {
  /// Linear addresses.
  public typealias Input = GuestVirtual
  /// As all x86 modes.
  public typealias Access = X86Access
  /// As all x86 modes.
  public typealias Rights = X86Rights
  /// As all x86 modes.
  public typealias Fault = X86Fault

  /// The registers.
  public private(set) var registers: X86Registers
  /// What the processor can do.
  public let features: X86Features
  /// How it translates now.
  public private(set) var regime: X86Regime
  // PERF: tlb.hit; kept, not asked for at each access.

  /// The PCID, 0 without CR4.PCIDE.
  public private(set) var addressSpaceTag: UInt16 = 0
  private var pdptes: PDPTERegisters

  /// A processor; PDPTE registers are loaded from memory where PAE has any.
  ///
  /// - Returns: the processor, and whether bit 5 of a PDPTE was tolerated; or why MOV CR3 would fail.
  public static func load<Memory: EntryMemory & ~Copyable>(
    _ registers: X86Registers, _ features: X86Features, in memory: borrowing Memory,
    _ strictness: PDPTERegisters.Strictness = .strict
  ) -> Result<
    (processor: X86Processor, clearedBit5: Bool), PDPTELoadFailure<Memory.Failure>
  > {
    X86Regime.load(registers, features, in: memory, strictness).map {
      (X86Processor(registers, features, $0.regime), $0.clearedBit5)
    }
  }

  /// A processor with the given PDPTE registers, looked at in PAE mode alone.
  public init(
    _ registers: X86Registers, _ features: X86Features,
    pdptes: PDPTERegisters = PDPTERegisters(0, 0, 0, 0)
  ) {
    self.init(
      registers, features, X86Regime(registers, features, pdptes: pdptes), pdptes: pdptes)
  }

  private init(
    _ registers: X86Registers, _ features: X86Features, _ regime: X86Regime,
    pdptes: PDPTERegisters = PDPTERegisters(0, 0, 0, 0)
  ) {
    self.registers = registers
    self.features = features
    self.regime = regime
    self.pdptes = if case .pae(let pae) = regime { pae.root } else { pdptes }
    addressSpaceTag = pcid
  }

  /// CR0.PE.
  public var takesSecondLevelExceptions: Bool { registers.cr0.contains(.protectionEnable) }

  /// Walks in the selected mode.
  @inlinable
  public func translate<Memory: EntryMemory & ~Copyable, Strategy: WalkStrategy>(
    _ address: GVA, for access: X86Access, in memory: borrowing Memory,
    _ strategy: inout Strategy
  ) -> Result<Translation<Memory.Space, X86Rights>, WalkFailure<X86Fault, Memory.Failure>> {
    regime.translate(address, for: access, in: memory, &strategy)
  }

  /// Asks the regime.
  @inlinable
  @inline(__always)  // PERF: tlb.hit
  public func cachedAddress(of address: GVA, for access: X86Access) -> GVA? {
    regime.cachedAddress(of: address, for: access)
  }

  /// Asks the access rules.
  @inlinable
  @inline(__always)  // PERF: tlb.hit
  public func permits(
    _ access: X86Access, rights: X86Rights, tables: X86Rights, leaf: UInt64
  ) -> Bool {
    regime.permits(access, rights: rights, tables: tables, leaf: leaf)
  }

  /// The rights as the formats share them.
  @inlinable
  public func permissions(of rights: X86Rights) -> Permissions { rights.permissions }

  /// A page fault with P=0.
  public func faultForUnreadableTable(
    _ address: GVA, for access: X86Access, at level: Level
  ) -> X86Fault {
    regime.faultForUnreadableTable(address, for: access, at: level)
  }

  /// Bit 8 of the leaf with CR4.PGE.
  @inlinable
  public func isGlobal(leaf: UInt64) -> Bool {
    leaf & 0x100 != 0 && registers.cr4.contains(.globalPages)
  }

  /// PAT, PCD and PWT; 0 with paging off.
  public func memoryType(ofLeaf leaf: UInt64, at level: Level) -> Int {
    regime.mode == .none ? 0 : PageAttributeTable.index(ofLeaf: leaf, at: level)
  }

  var usesPCID: Bool {
    registers.cr4.contains(.processContextIdentifiers) && features.pcid
      && (regime.mode == .long4 || regime.mode == .long5)
  }

  mutating func replace(_ registers: X86Registers, pdptes: PDPTERegisters?) {
    self.registers = registers
    if let pdptes { self.pdptes = pdptes }
    regime = X86Regime(registers, features, pdptes: self.pdptes)
    addressSpaceTag = pcid
  }

  private var pcid: UInt16 { usesPCID ? UInt16(truncatingIfNeeded: registers.cr3 & 0xFFF) : 0 }
}
