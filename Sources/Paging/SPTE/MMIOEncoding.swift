/// How an MMIO entry holds a GFN, an access and a generation, and how it is told from all others.
///
/// **Source** KVM behaviour (`make_mmio_spte`, `check_mmio_spte`); SPEC E6–E8.
@frozen
public struct MMIOEncoding: Sendable, Hashable {
  /// Value, mask and access mask.
  public let mask: MMIOMask
  /// The generation's bits in the entry, low part and high part.
  @usableFromInline let generationLow, generationHigh: UInt64
  @usableFromInline let lowShift, lowWidth, highShift: UInt64
  /// The address bits of the GFNs that can be held: M-1:12, fewer with L1TF.
  @usableFromInline let gfnMask: UInt64
  /// M-1:12.
  let legalAddressMask: UInt64
  /// The address bits that every MMIO entry sets (L1TF), 0 where off.
  @usableFromInline let forcedMask: UInt64
  /// How far the GFN bits under `forcedMask` move left.
  @usableFromInline let relocationShift: UInt64
  /// The number of different generations. **Units** generations.
  public let generationCount: UInt64

  init(
    _ mask: MMIOMask, generationLow: UInt64, generationHigh: UInt64, physicalAddressWidth: Int,
    relocation: MMIORelocation
  ) {
    self.mask = mask
    self.generationLow = generationLow
    self.generationHigh = generationHigh
    lowShift = UInt64(generationLow == 0 ? 0 : generationLow.trailingZeroBitCount)
    lowWidth = UInt64(generationLow.nonzeroBitCount)
    highShift = UInt64(generationHigh == 0 ? 0 : generationHigh.trailingZeroBitCount)
    let bits = generationLow.nonzeroBitCount + generationHigh.nonzeroBitCount
    generationCount = 1 << UInt64(min(bits, mask.generations.bits))
    legalAddressMask = ((1 << UInt64(physicalAddressWidth)) - 1) & ~0xFFF
    forcedMask = relocation.forcedMask
    gfnMask = relocation.holdableAddressMask & legalAddressMask
    relocationShift = UInt64(MMIORelocation.forcedBits)
  }

  /// Whether an entry is an MMIO entry.
  @inlinable
  public func matches(_ spte: SPTE) -> Bool { spte.rawValue & mask.mask == mask.value }

  /// The bits of an MMIO entry that depend on GFN, access or generation.
  public var variableBits: UInt64 {
    gfnMask & ~forcedMask | (forcedMask & gfnMask) << relocationShift | mask.accessMask
      | generationLow | generationHigh
  }

  /// An MMIO entry, or `nil` where the GFN is too large to be held; such an access is emulated
  /// without being cached.
  ///
  /// - Parameters:
  ///   - gfn: the guest frame.
  ///   - access: bit 1 write, bit 2 user; kept under the access mask.
  ///   - generation: the memslots' generation; its low bits are kept.
  @inlinable
  public func encode(gfn: GFN, access: UInt64, generation: UInt64) -> SPTE? {
    let gpa = gfn.baseAddress.rawValue
    guard gfn.rawValue &>> 52 == 0, gpa & ~gfnMask == 0 else { return nil }
    let generation = truncated(generation)
    let low = (generation &<< lowShift) & generationLow
    let high = ((generation &>> lowWidth) &<< highShift) & generationHigh
    let moved = (gpa & forcedMask) &<< relocationShift
    return SPTE(
      mask.value | (access & mask.accessMask) | low | high | (gpa & ~forcedMask) | forcedMask
        | moved)
  }

  /// The GFN of an MMIO entry.
  @inlinable
  public func gfn(of spte: SPTE) -> GFN {
    let fixed = spte.rawValue & gfnMask & ~forcedMask & ~mask.value
    let moved = (spte.rawValue &>> relocationShift) & forcedMask
    return GPA(fixed | moved).frame
  }

  /// The access bits kept in an MMIO entry.
  @inlinable
  public func access(of spte: SPTE) -> UInt64 { spte.rawValue & mask.accessMask }

  /// The generation of an MMIO entry, as many bits as are kept.
  @inlinable
  public func generation(of spte: SPTE) -> UInt64 {
    (spte.rawValue & generationLow) &>> lowShift
      | ((spte.rawValue & generationHigh) &>> highShift) &<< lowWidth
  }

  /// How often the generations had wrapped when one of them was in force; 0 for ever where entries
  /// outlive the wrap.
  @inlinable
  public func era(of generation: UInt64) -> UInt64 {
    mask.generations.zapsAtWrap ? generation / generationCount : 0
  }

  /// A generation as an entry can keep it.
  @inlinable
  public func truncated(_ generation: UInt64) -> UInt64 { generation & (generationCount &- 1) }
}

extension MMIOEncoding {
  /// The only bits that value and mask may use: 63, 51:12, 2:0; without a generation also the bits
  /// that it would take.
  var room: UInt64 {
    let room: UInt64 = 1 << 63 | 0x000F_FFFF_FFFF_F000 | 7
    return generationLow | generationHigh == 0 ? room | 0x7FF0_0000_0000_07F8 : room
  }

  /// SPEC E6, rule by rule.
  func check(
    layout: String, fields: [SPTEField], nonPresent: UInt64, frozen: UInt64,
    legality: some EntryLegality
  ) throws(LayoutError) {
    func refuse(_ rule: String, _ bits: UInt64 = 0, _ owner: String = "") throws(LayoutError) {
      throw LayoutError(layout: layout, rule: rule, bits: bits, owner: owner)
    }
    let both = mask.value | mask.mask
    if mask.mask == 0 {
      try refuse("an empty MMIO mask matches every entry")
    }
    if both & ~room != 0 {
      let bits = both & ~room
      let owner = fields.first(where: { $0.field.mask & bits != 0 }).map(\.field.name) ?? ""
      try refuse("the MMIO value or mask leaves bits 63, 51:12 and 2:0", bits, owner)
    }
    if mask.value & ~mask.mask != 0 {
      try refuse("the MMIO value has bits outside its mask", mask.value & ~mask.mask)
    }
    if mask.accessMask >> 32 != 0 {
      try refuse("the MMIO access mask does not fit 32 bits", mask.accessMask & ~0xFFFF_FFFF)
    }
    let legalAddress = legalAddressMask & ~forcedMask
    if both & legalAddress != 0 {
      try refuse("the MMIO value or mask overlaps address bits", both & legalAddress, "GFN")
    }
    if both & forcedMask != 0 {
      try refuse(
        "the MMIO value or mask overlaps L1TF bits", both & forcedMask, "L1TF address bits")
    }
    let encryption = fields.first { $0.role == .encryption }?.field.mask ?? 0
    if (both | mask.accessMask | forcedMask) & encryption != 0 {
      try refuse(
        "an MMIO entry would hold memory-encryption bits",
        (both | mask.accessMask | forcedMask) & encryption, "C")
    }
    let moved = (forcedMask & gfnMask) << relocationShift
    if both & moved != 0 {
      try refuse("the MMIO value or mask overlaps relocated GFN bits", both & moved, "GFN")
    }
    let generation = generationLow | generationHigh
    if mask.accessMask & (generation | mask.mask) != 0 {
      try refuse(
        "the MMIO access mask overlaps the generation or the mask",
        mask.accessMask & (generation | mask.mask))
    }
    if mask.accessMask & gfnMask != 0 {
      try refuse("the MMIO access mask overlaps address bits", mask.accessMask & gfnMask, "GFN")
    }
    if let present = fields.first(where: { $0.role == .mmuPresent })?.field {
      let bits = present.mask & (mask.accessMask | generation | mask.value | forcedMask)
      if bits != 0 { try refuse("an MMIO entry would be MMU-present", bits, present.name) }
    }
    if moved & generation != 0 {
      try refuse("relocated GFN bits overlap the generation", moved & generation, "generation")
    }
    for (name, marker) in [("frozen", frozen), ("non-present", nonPresent)]
    where matches(SPTE(marker)) {
      try refuse("the \(name) value 0x\(String(marker, radix: 16)) is an MMIO entry")
    }
    let known = ~variableBits
    let fixed = mask.value | forcedMask
    if legality.admitsUsableEntry(ones: fixed, zeros: known & ~fixed) {
      try refuse("hardware would use an MMIO entry as a mapping", mask.value & 7, "present bits")
    }
    let alwaysSet =
      fields.first { $0.role == .suppressVE && $0.forms.contains(.leaf) }?.field.mask ?? 0
    let ones = mask.value | alwaysSet
    let zeros = mask.mask & ~mask.value
    if ones & zeros == 0, legality.admitsUsableEntry(ones: ones, zeros: zeros) {
      try refuse("a present entry would match the MMIO mask", mask.mask & 7, "present bits")
    }
  }
}
