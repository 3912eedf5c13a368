public import Paging

/// Writes the entries of legacy shadow tables, which the processor walks as its own long-mode tables.
///
/// Generic over the format that walks them, since a mode target imports no other: the composition
/// root supplies long mode with four or five levels under the host's registers (EFER.NXE on).
///
/// **Source** Intel SDM Vol. 3A, "4-Level Paging and 5-Level Paging"; software bits: KVM behaviour,
/// SPEC E1–E11.
public struct ShadowEncoder<Format: PagingFormat>: SPTEEncoder
where Format.Entry == UInt64, Format.Root == TableRoot {
  /// Where everything is in an entry.
  public private(set) var layout: SPTELayout
  /// What the processor makes of the entries.
  public let format: Format
  /// The level of the root table's entries.
  public let rootLevel: Level
  /// The largest level that may hold a leaf.
  public let largestLeafLevel: Level

  /// The layouts that legacy shadow entries have.
  public static var layouts: [NamedLayout] { [.standard, .mmio2011, .trap2008, .encrypted] }

  /// Composes the encoder.
  ///
  /// - Parameters:
  ///   - format: what walks the entries; where memory is encrypted it knows the bits.
  ///   - rootLevel: the format's highest level.
  ///   - physicalAddressWidth: MAXPHYADDR. **Units** bits, 32...52.
  ///   - largestLeafLevel: the largest level that may hold a leaf.
  ///   - mmio: the MMIO mask, or `nil` to cache no MMIO; see `MMIOMask.shadow(physicalAddressWidth:)`.
  ///   - relocation: the L1TF form of MMIO entries.
  ///   - choice: which bits the MMU uses.
  ///   - encryption: the memory-encryption bits; the layout `encrypted` has the C-bit by itself.
  /// - Throws: `LayoutError` where the mask breaks a rule of SPEC E6, the encryption one of E17, the
  ///   trap one of E19, or where shadow entries have no such layout.
  public init(
    _ format: Format, rootLevel: Level, physicalAddressWidth: Int,
    largestLeafLevel: Level = .directoryPointer, mmio: MMIOMask?,
    relocation: MMIORelocation = .none, layout choice: NamedLayout = .standard,
    encryption: MemoryEncryption? = nil
  ) throws(LayoutError) {
    try choice.check(for: "shadow", among: Self.layouts)
    self.format = format
    self.rootLevel = rootLevel
    self.largestLeafLevel = largestLeafLevel
    let width = min(max(physicalAddressWidth, 32), 52)
    let name = choice == .standard ? "shadow" : "shadow-\(choice.rawValue)"
    let encryption =
      choice == .encrypted ? encryption ?? .sme(physicalAddressWidth: width) : encryption
    if choice == .encrypted, encryption == nil {
      throw LayoutError(layout: name, rule: "no bit above the addresses is left for encryption")
    }
    let fields = ShadowFields.table(physicalAddressWidth: width)
    let hasGeneration = choice != .mmio2011 && choice != .trap2008
    let reserved = (1 << 52 as UInt64) - (1 << UInt64(width))
    let nonPresent = choice == .trap2008 ? reserved | 1 : 1 << 63
    layout = try SPTELayout(
      name: name, fields: hasGeneration ? fields : fields.withoutGeneration,
      nonPresent: nonPresent, frozen: 1 << 63 | 0x5A0, physicalAddressWidth: width, mmio: mmio,
      relocation: relocation, noTrap: choice == .trap2008 ? 0 : nil, encryption: encryption,
      legality: FormatLegality(format: format))
    if encryption != nil, format.kind(of: table(HPA(0)).rawValue, at: rootLevel) != .table {
      throw LayoutError(
        layout: name, rule: "what walks the entries takes encryption bits for reserved ones",
        bits: layout.masks.encryption, owner: "C")
    }
  }

  /// P; W and U as granted, NX where execution is not; A unless nobody has asked yet, D for a write.
  ///
  /// G and the guest's PAT are not copied (SPEC E11).
  @inlinable
  @inline(__always)  // PERF: sync.shadow; an encoder is copied for a call.
  public func leaf(_ request: LeafRequest) -> SPTE {
    let masks = layout.masks
    var raw = masks.mmuPresent | masks.readable | layout.encryptionValue
    raw |= request.pfn.baseAddress.rawValue & masks.address
    if request.level != .pageTable { raw |= masks.pageSize }
    if request.permissions.contains(.user) { raw |= masks.user }
    if !request.permissions.contains(.execute) { raw |= masks.noExecute }
    if request.isHostWritable { raw |= masks.hostWritable }
    if request.permissions.contains(.write), request.isHostWritable, request.isMMUWritable {
      raw |= masks.mmuWritable
      if !request.isWriteProtected { raw |= masks.writable }
    }
    if !request.isPrefetch {
      raw |= masks.accessed
      if request.isWrite, raw & masks.writable != 0 { raw |= masks.dirty }
    }
    let shift = UInt64(masks.protectionKey.trailingZeroBitCount)
    raw |= UInt64(request.protectionKey) &<< shift & masks.protectionKey
    return SPTE(raw)
  }

  /// Everything granted, since rights are folded into the leaves; and the child's address.
  @inlinable
  @inline(__always)  // PERF: fault.shadow; as above.
  public func table(_ child: HPA) -> SPTE {
    let masks = layout.masks
    return SPTE(
      masks.mmuPresent | masks.readable | masks.writable | masks.user | masks.accessed
        | layout.encryptionValue | child.rawValue & masks.address)
  }

  /// The table's address.
  @inlinable
  public func root(_ table: HPA) -> TableRoot { TableRoot(table) }
}

extension ShadowEncoder: AdjustableEncoder {
  /// The format, tried.
  public var legality: FormatLegality<Format> { FormatLegality(format: format) }

  /// Bits 58:52 and 11:9; 62:59 are protection keys on some processors.
  public var ignoredBits: UInt64 { 0x07F0_0000_0000_0E00 }

  /// This encoder with another layout.
  public func with(_ layout: SPTELayout) -> ShadowEncoder {
    var encoder = self
    encoder.layout = layout
    return encoder
  }
}

extension MMIOMask {
  /// The default of a layout of legacy shadow paging: a present entry with the reserved bit 51 (SPEC
  /// E7); `nil` where MAXPHYADDR is 52 and no address bit is reserved, so that MMIO cannot be cached.
  public static func shadow(
    physicalAddressWidth: Int, layout: NamedLayout = .standard
  ) -> MMIOMask? {
    .reserved(physicalAddressWidth: physicalAddressWidth, layout: layout)
  }
}
