public import Paging

/// Writes EPT entries.
///
/// **Source** Intel SDM Vol. 3C, "Format of EPT Entries"; software bits: KVM behaviour, SPEC E1–E9.
public struct EPTEncoder: SPTEEncoder {
  /// Where everything is in an entry.
  public let layout: SPTELayout
  /// What the processor makes of the entries.
  public let format: EPTFormat
  /// Bits of every present leaf: R is in the request; MMU-present, suppress #VE and the A/D kind.
  @usableFromInline let leafBits: UInt64
  /// X, and user execution with mode-based execution.
  @usableFromInline let executeBits: UInt64
  /// Bits of every table entry.
  @usableFromInline let tableBits: UInt64

  /// The layouts that EPT entries have.
  public static var layouts: [NamedLayout] { [.standard, .modeBased, .mmio2011] }

  /// Composes the encoder.
  ///
  /// - Parameters:
  ///   - capabilities: what the processor can do.
  ///   - mmio: the MMIO mask, or `nil` to cache no MMIO.
  ///   - relocation: the L1TF form of MMIO entries.
  ///   - choice: which of the ignored bits the MMU uses.
  ///   - owner: whose entries they are, `ept` or `tdx`: what the layout is called.
  /// - Throws: `LayoutError` where the mask breaks a rule of SPEC E6, where EPT has no such layout, or
  ///   where mode-based execution is asked of one that needs bit 10 for frozen entries and the MMIO
  ///   generation (E9).
  public init(
    _ capabilities: EPTCapabilities, mmio: MMIOMask?, relocation: MMIORelocation = .none,
    layout choice: NamedLayout = .standard, for owner: String = "ept"
  ) throws(LayoutError) {
    let name = choice == .standard ? owner : "\(owner)-\(choice.rawValue)"
    try choice.check(for: owner, among: Self.layouts)
    if capabilities.modeBasedExecution, choice != .modeBased {
      throw LayoutError(
        layout: name, rule: "mode-based execution needs a bit this layout uses", bits: 1 << 10,
        owner: "frozen value, MMIO generation")
    }
    let format = EPTFormat(capabilities)
    let layout = try SPTELayout(
      name: name, fields: Self.fields(capabilities, choice), nonPresent: 1 << 63,
      frozen: 1 << 63 | (choice == .modeBased ? 0x1A0 : 0x5A0),
      physicalAddressWidth: capabilities.physicalAddressWidth,
      mmio: mmio, relocation: relocation, legality: format)
    self.init(format, layout)
  }

  private init(_ format: EPTFormat, _ layout: SPTELayout) {
    self.format = format
    self.layout = layout
    let capabilities = format.capabilities
    let masks = layout.masks
    let kind: UInt64 = capabilities.accessedDirty ? 0 : 1
    leafBits =
      masks.mmuPresent | masks.suppressVE | kind << UInt64(masks.adKind.trailingZeroBitCount)
    executeBits = masks.executable | (capabilities.modeBasedExecution ? masks.user : 0)
    tableBits = leafBits | 3 | executeBits | masks.accessed
  }

  /// Composes the encoder with a layout's own MMIO mask.
  ///
  /// - Throws: as above.
  public init(
    _ capabilities: EPTCapabilities, relocation: MMIORelocation = .none,
    layout choice: NamedLayout = .standard
  ) throws(LayoutError) {
    try self.init(
      capabilities, mmio: .ept(choice), relocation: relocation, layout: choice)
  }

  /// As many as the processor walks.
  @inlinable
  public var rootLevel: Level { Level(format.capabilities.levels) }

  /// 1 GiB, 2 MiB or 4 KiB, as the processor can.
  @inlinable
  public var largestLeafLevel: Level {
    let capabilities = format.capabilities
    return capabilities.pages1GiB && capabilities.pages2MiB
      ? .directoryPointer : capabilities.pages2MiB ? .directory : .pageTable
  }

  /// R, W and X as requested, as far as hardware can: no W without R, no X without R unless the
  /// processor can; the memory type; A, and D for a write, where hardware keeps them.
  @inlinable
  @inline(__always)  // PERF: fault.tdp.threads1; an encoder is copied for a call.
  public func leaf(_ request: LeafRequest) -> SPTE {
    let masks = layout.masks
    var raw = leafBits | request.pfn.baseAddress.rawValue & masks.address
    let isReadable = request.permissions.contains(.read)
    if isReadable { raw |= masks.readable }
    if request.permissions.contains(.execute), isReadable || format.capabilities.executeOnly {
      raw |= executeBits
    }
    if request.level != .pageTable { raw |= masks.pageSize }
    raw |= UInt64(request.memoryType.rawValue) &<< 3
    if request.ignoresPAT { raw |= masks.ignorePAT }
    if !request.suppressesExceptions { raw &= ~masks.suppressVE }
    if request.isHostWritable { raw |= masks.hostWritable }
    if isReadable, request.permissions.contains(.write), request.isHostWritable,
      request.isMMUWritable
    {
      raw |= masks.mmuWritable
      if !request.isWriteProtected { raw |= masks.writable }
    }
    if !request.isPrefetch, masks.accessed != 0 {
      raw |= masks.accessed
      if request.isWrite, raw & masks.writable != 0 { raw |= masks.dirty }
    }
    if request.isDirtyByProtection, masks.accessed != 0 {
      raw |= 2 &<< UInt64(masks.adKind.trailingZeroBitCount)
    }
    return SPTE(raw)
  }

  /// R, W, X and the child's address.
  @inlinable
  public func table(_ child: HPA) -> SPTE {
    SPTE(tableBits | child.rawValue & layout.masks.address)
  }

  /// The table's address; `EPTFormat.eptp(_:)` makes an EPTP of it.
  @inlinable
  public func root(_ table: HPA) -> TableRoot { TableRoot(table) }
}

extension MMIOMask {
  /// The default of EPT: write and execute without read, which every processor calls a
  /// misconfiguration (SPEC E7).
  public static var ept: MMIOMask {
    MMIOMask(value: 6, mask: 1 << 63 | 7, accessMask: 0)
  }

  /// The mask that belongs to a layout of EPT: in 2011 bits 56:49 and write and execute.
  public static func ept(_ layout: NamedLayout) -> MMIOMask {
    guard layout == .mmio2011 else { return .ept }
    return MMIOMask(value: 0xFF << 49 | 6, mask: 0xFF << 49 | 6, accessMask: 0)
  }
}

extension EPTEncoder {
  /// The layout's table of fields.
  static func fields(
    _ capabilities: EPTCapabilities, _ choice: NamedLayout
  ) -> [SPTEField] {
    let isStandard = choice != .modeBased
    let format = "Intel SDM Vol. 3C, \"Format of EPT Entries\""
    let ignored = "ignored by EPT in present entries"
    var fields = [
      SPTEField(.readable, in: .present, BitField("R", 0...0, "reads allowed", source: format)),
      SPTEField(.writable, in: .present, BitField("W", 1...1, "writes allowed", source: format)),
      SPTEField(
        .executable, in: .present, BitField("X", 2...2, "fetches allowed", source: format)),
      SPTEField(
        .memoryType, in: .leaf, BitField("MT", 3...5, "memory type of the page", source: format)),
      SPTEField(
        .ignorePAT, in: .leaf,
        BitField("IPAT", 6...6, "MT wins over the guest's PAT", source: format)
      ),
      SPTEField(
        .pageSize, in: .present, BitField("PS", 7...7, "maps a large page", source: format)),
      SPTEField(
        .mmuPresent, in: .present,
        BitField(
          "MMU-present", 11...11, "the MMU regards the entry as present", source: "software",
          whyFree: ignored)),
      SPTEField(
        .address, in: .present,
        BitField(
          "ADDR", 12...(capabilities.physicalAddressWidth - 1), "page or table address",
          source: format)),
      SPTEField(
        .adKind, in: .present,
        BitField(
          "AD kind", isStandard ? 52...53 : 60...61,
          "0 A/D by hardware, 1 none, 2 write-protect only",
          source: "software", whyFree: ignored)),
      SPTEField(
        .savedReadable, in: .leaf,
        BitField(
          "saved R", 54...54, "R of an access-tracked entry", source: "software", whyFree: ignored)
      ),
      SPTEField(
        .savedExecutable, in: .leaf,
        BitField(
          "saved X", 56...56, "X of an access-tracked entry", source: "software", whyFree: ignored)
      ),
      SPTEField(
        .hostWritable, in: .leaf,
        BitField(
          "host-writable", isStandard ? 57...57 : 53...53, "the host allows writes",
          source: "software",
          whyFree: "ignored while guest-paging verification is off")),
      SPTEField(
        .mmuWritable, in: .leaf,
        BitField(
          "MMU-writable", isStandard ? 58...58 : 55...55, "the MMU may set W without asking",
          source: "software",
          whyFree: "ignored while paging-write access is off")),
      SPTEField(
        .suppressVE, in: .present,
        BitField(
          "SVE", 63...63, "a violation is an exit and not a #VE",
          source: "Intel SDM Vol. 3C, \"Convertible EPT Violations\"")),
      SPTEField(
        .mmioGenerationLow, in: .mmio,
        BitField(
          isStandard ? "MMIO generation 7:0" : "MMIO generation 6:0",
          isStandard ? 3...10 : 3...9, "memslot generation when the entry was made",
          source: "software", whyFree: "the entry is misconfigured whatever they hold")),
      SPTEField(
        .mmioGenerationHigh, in: .mmio,
        BitField(
          isStandard ? "MMIO generation 18:8" : "MMIO generation 17:7", 52...62,
          "memslot generation when the entry was made",
          source: "software", whyFree: "the entry is misconfigured whatever they hold")),
    ]
    if !isStandard {
      fields += [
        SPTEField(
          .user, in: .present,
          BitField(
            "XU", 10...10, "fetches by user pages allowed",
            source: "Intel SDM Vol. 3C, \"Mode-Based Execute Control for EPT\"")),
        SPTEField(
          .savedUserExecutable, in: .leaf,
          BitField(
            "saved XU", 52...52, "XU of an access-tracked entry", source: "software",
            whyFree: ignored)),
      ]
    }
    if capabilities.accessedDirty {
      let source = "Intel SDM Vol. 3C, \"Accessed and Dirty Flags for EPT\""
      fields += [
        SPTEField(.accessed, in: .present, BitField("A", 8...8, "has been used", source: source)),
        SPTEField(.dirty, in: .leaf, BitField("D", 9...9, "has been written", source: source)),
      ]
    }
    return choice == .mmio2011 ? fields.withoutGeneration : fields
  }
}

extension EPTEncoder: AdjustableEncoder {
  /// The hardware format.
  public var legality: EPTFormat { format }

  /// Bits 62:52 and 11; 10 without mode-based execution, 9:8 without A and D.
  public var ignoredBits: UInt64 {
    0x7FF0_0000_0000_0800 | (format.capabilities.modeBasedExecution ? 0 : 1 << 10)
      | (format.capabilities.accessedDirty ? 0 : 3 << 8)
  }

  /// This encoder with another layout.
  public func with(_ layout: SPTELayout) -> EPTEncoder { EPTEncoder(format, layout) }
}
