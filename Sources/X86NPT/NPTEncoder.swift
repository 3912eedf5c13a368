public import Paging

/// Writes nested page-table entries.
///
/// **Source** AMD APM Vol. 2, "Nested Paging"; software bits: KVM behaviour, SPEC E1–E12.
public struct NPTEncoder: SPTEEncoder {
  /// Where everything is in an entry.
  public let layout: SPTELayout
  /// What the processor makes of the entries.
  public let format: NPTFormat

  /// The layouts that NPT entries have.
  public static var layouts: [NamedLayout] { [.standard, .mmio2011, .encrypted] }

  /// Composes the encoder.
  ///
  /// - Parameters:
  ///   - capabilities: what the processor can do.
  ///   - mmio: the MMIO mask, or `nil` to cache no MMIO.
  ///   - relocation: the L1TF form of MMIO entries.
  ///   - choice: which bits the MMU uses.
  ///   - encryption: the memory-encryption bits; the layout `encrypted` has the C-bit by itself.
  /// - Throws: `LayoutError` where the mask breaks a rule of SPEC E6, the encryption one of E17, or
  ///   where NPT has no such layout.
  public init(
    _ capabilities: NPTCapabilities, mmio: MMIOMask?, relocation: MMIORelocation = .none,
    layout choice: NamedLayout = .standard, encryption: MemoryEncryption? = nil
  ) throws(LayoutError) {
    try choice.check(for: "npt", among: Self.layouts)
    let width = capabilities.physicalAddressWidth
    let name = choice == .standard ? "npt" : "npt-\(choice.rawValue)"
    let encryption =
      choice == .encrypted ? encryption ?? .sme(physicalAddressWidth: width) : encryption
    if choice == .encrypted, encryption == nil {
      throw LayoutError(layout: name, rule: "no bit above the addresses is left for encryption")
    }
    var capabilities = capabilities
    capabilities.encryptionMask = encryption?.mask ?? 0
    let format = NPTFormat(capabilities)
    // A 32-bit host has no #VE to suppress, and its entries' bit 63 is not free.
    let nonPresent: UInt64 = capabilities.form == .pae ? 0 : 1 << 63
    let fields = Self.fields(capabilities)
    let layout = try SPTELayout(
      name: name, fields: choice == .mmio2011 ? fields.withoutGeneration : fields,
      nonPresent: nonPresent, frozen: nonPresent | 0x5A0, physicalAddressWidth: width,
      mmio: mmio, relocation: relocation, encryption: encryption, legality: format)
    self.init(format, layout)
  }

  private init(_ format: NPTFormat, _ layout: SPTELayout) {
    self.format = format
    self.layout = layout
  }

  /// Composes the encoder with a layout's own MMIO mask.
  ///
  /// - Throws: as above.
  public init(
    _ capabilities: NPTCapabilities, layout choice: NamedLayout = .standard
  ) throws(LayoutError) {
    try self.init(
      capabilities,
      mmio: .npt(physicalAddressWidth: capabilities.physicalAddressWidth, layout: choice),
      layout: choice)
  }

  /// As many as the form has.
  @inlinable
  public var rootLevel: Level { Level(format.capabilities.levels) }

  /// 32 bits in the PAE form.
  @inlinable
  public var inputWidth: Int { format.capabilities.inputWidth }

  /// 1 GiB, or 2 MiB in the PAE form and where the processor has no larger pages.
  @inlinable
  public var largestLeafLevel: Level {
    format.capabilities.form != .pae && format.capabilities.pages1GiB
      ? .directoryPointer : .directory
  }

  /// P, W and NX as requested, as far as hardware can: nothing without P; U always; A, and D for a
  /// write; the memory type by PWT and PCD under the reset value of PAT.
  @inlinable
  public func leaf(_ request: LeafRequest) -> SPTE {
    let masks = layout.masks
    var raw = masks.mmuPresent | masks.user | layout.encryptionValue
    raw |= request.pfn.baseAddress.rawValue & masks.address
    let isReadable = request.permissions.contains(.read)
    if isReadable { raw |= masks.readable }
    if !request.permissions.contains(.execute) { raw |= masks.noExecute }
    if request.level != .pageTable { raw |= masks.pageSize }
    raw |= Self.cacheBits(of: request.memoryType)
    if request.isHostWritable { raw |= masks.hostWritable }
    if isReadable, request.permissions.contains(.write), request.isHostWritable,
      request.isMMUWritable
    {
      raw |= masks.mmuWritable
      if !request.isWriteProtected { raw |= masks.writable }
    }
    if !request.isPrefetch {
      raw |= masks.accessed
      if request.isWrite, raw & masks.writable != 0 { raw |= masks.dirty }
    }
    return SPTE(raw)
  }

  /// PWT (bit 3) and PCD (bit 4). Types that the reset value of PAT lacks become the nearest that
  /// caches no more: WC becomes UC, WP becomes WT.
  @inlinable
  static func cacheBits(of type: MemoryType) -> UInt64 {
    switch type {
    case .writeBack: 0
    case .writeThrough, .writeProtected: 1 << 3
    case .uncacheable, .writeCombining: 3 << 3
    }
  }

  /// P, W, U, A and the child's address.
  @inlinable
  public func table(_ child: HPA) -> SPTE {
    let masks = layout.masks
    return SPTE(
      masks.mmuPresent | masks.readable | masks.writable | masks.user | masks.accessed
        | layout.encryptionValue | child.rawValue & masks.address)
  }

  /// As `table(_:)`; the top entries of the PAE form have P alone.
  @inlinable
  public func table(_ child: HPA, at level: Level) -> SPTE {
    guard format.capabilities.form == .pae, level == .directoryPointer else {
      return table(child)
    }
    let masks = layout.masks
    return SPTE(
      masks.mmuPresent | masks.readable | layout.encryptionValue
        | child.rawValue & masks.address)
  }

  /// The table's address, which goes to nCR3.
  @inlinable
  public func root(_ table: HPA) -> TableRoot { TableRoot(table) }
}

extension NPTEncoder: AdjustableEncoder {
  /// The hardware format.
  public var legality: NPTFormat { format }

  /// Bits 11:9, and in the long forms 62:52.
  public var ignoredBits: UInt64 {
    format.capabilities.form == .pae ? 7 << 9 : 0x7FF0_0000_0000_0000 | 7 << 9
  }

  /// This encoder with another layout.
  public func with(_ layout: SPTELayout) -> NPTEncoder { NPTEncoder(format, layout) }
}

extension MMIOMask {
  /// The default of a layout of NPT: present with reserved bit 51 (SPEC E7); `nil`, so that no MMIO is
  /// cached, on a processor whose addresses reach that bit.
  public static func npt(
    physicalAddressWidth: Int, layout: NamedLayout = .standard
  ) -> MMIOMask? {
    .reserved(physicalAddressWidth: physicalAddressWidth, layout: layout)
  }
}
