public import Paging
public import X86
public import X86Legacy32
public import X86Long
public import X86PAE

/// How an x86 processor translates now, whatever mode its registers select.
///
/// The mode is chosen when the registers change; a walk costs one `switch` outside its loop.
public enum X86Regime: TranslationRegime {
  /// Linear addresses.
  public typealias Input = GuestVirtual
  /// As all x86 modes.
  public typealias Access = X86Access
  /// As all x86 modes.
  public typealias Rights = X86Rights
  /// As all x86 modes.
  public typealias Fault = X86Fault

  /// CR0.PG = 0: a GVA is a GPA of 32 bits.
  case none(X86Controls)
  /// Two-level paging.
  case legacy32(FormatRegime<Legacy32>)
  /// PAE paging from loaded PDPTE registers.
  case pae(FormatRegime<PAE>)
  /// Four-level paging.
  case long4(FormatRegime<Long4>)
  /// Five-level paging.
  case long5(FormatRegime<Long5>)

  /// The regime that registers select.
  ///
  /// - Parameters:
  ///   - registers: the processor's registers.
  ///   - features: what the processor can do.
  ///   - pdptes: the PDPTE registers; looked at in PAE mode alone.
  public init(
    _ registers: X86Registers, _ features: X86Features,
    pdptes: PDPTERegisters = PDPTERegisters(0, 0, 0, 0)
  ) {
    switch registers.mode {
    case .none: self = .none(X86Controls(registers, features))
    case .legacy32:
      let format = Legacy32(registers, features)
      self = .legacy32(FormatRegime(format, root: format.root(cr3: registers.cr3)))
    case .pae: self = .pae(FormatRegime(PAE(registers, features), root: pdptes))
    case .long4:
      let format = Long4(registers, features)
      self = .long4(FormatRegime(format, root: format.root(cr3: registers.cr3)))
    case .long5:
      let format = Long5(registers, features)
      self = .long5(FormatRegime(format, root: format.root(cr3: registers.cr3)))
    }
  }

  /// The regime that registers select, the PDPTE registers loaded from memory where PAE has any.
  ///
  /// - Returns: the regime, and whether bit 5 of a PDPTE was tolerated; or why MOV CR3 would fail.
  public static func load<Memory: EntryMemory & ~Copyable>(
    _ registers: X86Registers, _ features: X86Features, in memory: borrowing Memory,
    _ strictness: PDPTERegisters.Strictness = .strict
  ) -> Result<(regime: X86Regime, clearedBit5: Bool), PDPTELoadFailure<Memory.Failure>> {
    guard registers.mode == .pae else {
      return .success((X86Regime(registers, features), false))
    }
    return PDPTERegisters.load(cr3: registers.cr3, features: features, in: memory, strictness)
      .map { (X86Regime(registers, features, pdptes: $0.registers), $0.clearedBit5) }
  }

  /// The mode.
  @inlinable
  public var mode: X86Mode {
    switch self {
    case .none: .none
    case .legacy32: .legacy32
    case .pae: .pae
    case .long4: .long4
    case .long5: .long5
    }
  }

  /// The access rules in force.
  @inlinable
  @inline(__always)  // PERF: tlb.hit; a copy of a whole regime for a few words of it otherwise.
  public var controls: X86Controls {
    switch self {
    case .none(let controls): controls
    case .legacy32(let regime): regime.format.controls
    case .pae(let regime): regime.format.controls
    case .long4(let regime): regime.format.controls
    case .long5(let regime): regime.format.controls
    }
  }

  /// Walks in the selected mode; 32-bit modes look at bits 31:0 of the address alone (SPEC W13).
  @inlinable
  @inline(__always)  // PERF: walk.regime.random; out of line the format is copied for each walk.
  public func translate<Memory: EntryMemory & ~Copyable, Strategy: WalkStrategy>(
    _ address: GVA, for access: X86Access, in memory: borrowing Memory,
    _ strategy: inout Strategy
  ) -> Result<Translation<Memory.Space, X86Rights>, WalkFailure<X86Fault, Memory.Failure>> {
    // PERF: walk.regime.random; the optimiser inlines until a function is too large, so the mode that
    // matters most comes first.
    switch self {
    case .long4(let regime):
      return regime.translate(address, for: access, in: memory, &strategy)
    case .long5(let regime):
      return regime.translate(address, for: access, in: memory, &strategy)
    case .legacy32(let regime):
      return regime.translate(address.wrapped32, for: access, in: memory, &strategy)
    case .pae(let regime):
      return regime.translate(address.wrapped32, for: access, in: memory, &strategy)
    case .none:
      let rights = X86Rights(granted: ~0)
      return .success(
        Translation(
          address: Address(address.wrapped32.rawValue), pageSize: .size4KiB, level: .pageTable,
          rights: rights, tableRights: rights, leaf: 0))
    }
  }

  /// Asks the mode; 32-bit modes look at bits 31:0 alone.
  @inlinable
  @inline(__always)  // PERF: tlb.hit
  public func cachedAddress(of address: GVA, for access: X86Access) -> GVA? {
    switch self {
    case .none: address.wrapped32
    case .legacy32(let regime): regime.cachedAddress(of: address.wrapped32, for: access)
    case .pae(let regime): regime.cachedAddress(of: address.wrapped32, for: access)
    case .long4(let regime): regime.cachedAddress(of: address, for: access)
    case .long5(let regime): regime.cachedAddress(of: address, for: access)
    }
  }

  /// Asks the access rules; with paging off everything is permitted.
  @inlinable
  @inline(__always)  // PERF: tlb.hit
  public func permits(
    _ access: X86Access, rights: X86Rights, tables: X86Rights, leaf: UInt64
  ) -> Bool {
    if case .none = self { return true }
    return controls.permit(access, rights: rights, tables: tables, leaf: leaf)
  }

  /// The rights as the formats share them.
  @inlinable
  public func permissions(of rights: X86Rights) -> Permissions { rights.permissions }

  /// A page fault with P=0.
  public func faultForUnreadableTable(
    _ address: GVA, for access: X86Access, at level: Level
  ) -> X86Fault {
    X86Fault(
      vector: X86Fault.pageFaultVector,
      errorCode: controls.errorCode(
        .notPresent, for: access, rights: X86Rights(granted: ~0), leaf: 0),
      address: address, cause: .notPresent, level: level)
  }
}

extension Address where Kind == GuestVirtual {
  /// The address as 32-bit code sees it.
  @inlinable
  var wrapped32: GVA { GVA(rawValue & 0xFFFF_FFFF) }
}
