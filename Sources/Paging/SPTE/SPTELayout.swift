/// Where everything is in an SPTE: a table of named fields, and the masks that follow from it.
///
/// The table is the one declaration of an encoder's bits: checks at composition, `mmu decode`,
/// `mmu layout` and the documentation all read it. Composing a layout proves:
///
/// - every field lies in the 64 bits, and fields of one form do not overlap (SPEC E17);
/// - the non-present and frozen values are neither MMU-present nor readable, writable or executable
///   by hardware, and hold no address bits (E9); where empty entries trap, hardware refuses them (E19);
/// - memory encryption keeps to its mask, which no MMIO entry uses (E17);
/// - the MMIO mask keeps to its room and cannot be confused with any other entry (E6).
public struct SPTELayout: Sendable {
  /// The encoder's name, such as `ept`.
  public let name: String
  /// The fields in ascending bit order.
  public let fields: [SPTEField]
  /// What an entry that maps nothing holds (SPEC E9).
  public let nonPresent: SPTE
  /// What an entry holds instead where the guest's own entry is not present, in a layout whose
  /// `nonPresent` is a trap (E19); `nil` in all others.
  public let noTrap: SPTE?
  /// What an entry holds while it is being changed in several steps (E9).
  public let frozen: SPTE
  /// MAXPHYADDR of the machine that walks the tables. **Units** bits.
  public let physicalAddressWidth: Int
  /// What entries that lead to tables and guest memory hold in the encryption bits (E17).
  public let encryptionValue: UInt64
  /// The L1TF form of MMIO entries (E8).
  public let relocation: MMIORelocation
  /// How MMIO is cached, or `nil` where it is not.
  public let mmio: MMIOEncoding?
  /// The fields' masks.
  public let masks: SPTEMasks

  /// Composes and checks a layout.
  ///
  /// - Parameters:
  ///   - name: the encoder's name.
  ///   - fields: every field.
  ///   - nonPresent: what an entry that maps nothing holds.
  ///   - frozen: what an entry holds while it is being changed.
  ///   - physicalAddressWidth: MAXPHYADDR. **Units** bits.
  ///   - mmio: the MMIO mask, or `nil` to cache no MMIO.
  ///   - relocation: the L1TF form of MMIO entries (E8).
  ///   - noTrap: what an entry holds that is left to the guest; `nonPresent` then is a trap (E19).
  ///   - encryption: the memory-encryption bits of tables and pages; a field for them is added (E17).
  ///   - legality: what the hardware format makes of entries; asked about MMIO entries and traps.
  /// - Throws: `LayoutError` with the rule that is broken.
  public init(
    name: String, fields: [SPTEField], nonPresent: UInt64, frozen: UInt64,
    physicalAddressWidth: Int, mmio: MMIOMask?, relocation: MMIORelocation = .none,
    noTrap: UInt64? = nil, encryption: MemoryEncryption? = nil, legality: some EntryLegality
  ) throws(LayoutError) {
    var fields = fields
    if let encryption { fields.append(try Self.field(of: encryption, name: name)) }
    self.name = name
    self.fields = fields.sorted { $0.field.bits.lowerBound < $1.field.bits.lowerBound }
    self.nonPresent = SPTE(nonPresent)
    self.frozen = SPTE(frozen)
    self.physicalAddressWidth = physicalAddressWidth
    self.noTrap = noTrap.map { SPTE($0) }
    encryptionValue = encryption?.value ?? 0
    self.relocation = relocation
    masks = SPTEMasks(fields)
    try Self.checkFields(self.fields, name: name)
    if let noTrap {
      try Self.checkMarkers(["no-trap value": noTrap, "frozen value": frozen], masks, name: name)
      try Self.checkTrap(nonPresent, masks, legality, name: name)
    } else {
      try Self.checkMarkers(
        ["non-present value": nonPresent, "frozen value": frozen], masks, name: name)
    }
    guard let mmio else {
      self.mmio = nil
      return
    }
    let encoding = MMIOEncoding(
      mmio, generationLow: masks.mmioGenerationLow, generationHigh: masks.mmioGenerationHigh,
      physicalAddressWidth: physicalAddressWidth, relocation: relocation)
    try encoding.check(
      layout: name, fields: self.fields, nonPresent: nonPresent, frozen: frozen,
      legality: legality)
    self.mmio = encoding
  }

  /// This layout with fields of an encoder's own, checked as a whole.
  ///
  /// - Parameters:
  ///   - own: the fields to add.
  ///   - name: the new encoder's name.
  ///   - legality: as in `init`.
  /// - Throws: `LayoutError` where the fields take bits that are in use.
  public func adding(
    _ own: [SPTEField], name: String, legality: some EntryLegality
  ) throws(LayoutError) -> SPTELayout {
    try SPTELayout(
      name: name, fields: fields.filter { $0.role != .encryption } + own,
      nonPresent: nonPresent.rawValue,
      frozen: frozen.rawValue, physicalAddressWidth: physicalAddressWidth, mmio: mmio?.mask,
      relocation: relocation, noTrap: noTrap?.rawValue,
      encryption: encryption,
      legality: legality)
  }

  /// The memory-encryption bits, or `nil` where there are none.
  var encryption: MemoryEncryption? {
    masks.encryption == 0
      ? nil : MemoryEncryption(mask: masks.encryption, value: encryptionValue)
  }

  /// Whether the host writes entries as two words of 32 bits, so that half of one may be seen: where
  /// nothing is mapped by 0 (SPEC E9, F2).
  @inlinable
  public var isWrittenByHalves: Bool { nonPresent.rawValue == 0 }

  /// The field that plays a part, or `nil` where the layout has none.
  public func field(_ role: SPTEField.Role) -> BitField? {
    fields.first { $0.role == role }?.field
  }

  private static func field(
    of encryption: MemoryEncryption, name: String
  ) throws(LayoutError) -> SPTEField {
    let mask = encryption.mask
    let low = mask.trailingZeroBitCount
    guard mask != 0, mask >> UInt64(low) & (mask >> UInt64(low) &+ 1) == 0 else {
      throw LayoutError(
        layout: name, rule: "memory encryption needs one run of bits", bits: mask, owner: "C")
    }
    if encryption.value & ~mask != 0 {
      throw LayoutError(
        layout: name, rule: "the memory-encryption value has bits outside its mask",
        bits: encryption.value & ~mask, owner: "C")
    }
    return SPTEField(
      .encryption, in: .present,
      BitField(
        "C", low...(low + mask.nonzeroBitCount - 1), "how the memory is encrypted",
        source: "AMD APM Vol. 2, \"Secure Memory Encryption\""))
  }

  /// An empty entry that exits: present to hardware, which must refuse it whatever the access.
  private static func checkTrap(
    _ value: UInt64, _ masks: SPTEMasks, _ legality: some EntryLegality, name: String
  ) throws(LayoutError) {
    for (owner, mask) in [("MMU-present", masks.mmuPresent), ("address", masks.address)]
    where value & mask != 0 {
      throw LayoutError(
        layout: name, rule: "the trap value sets bits of a present entry", bits: value & mask,
        owner: owner)
    }
    if value & masks.readable == 0 {
      throw LayoutError(
        layout: name, rule: "the trap value is not present to hardware", bits: masks.readable,
        owner: "present bits")
    }
    if legality.admitsUsableEntry(ones: value, zeros: ~value) {
      throw LayoutError(
        layout: name, rule: "hardware would use the trap value as a mapping: no bit is reserved",
        bits: value, owner: "trap value")
    }
  }

  private static func checkFields(_ fields: [SPTEField], name: String) throws(LayoutError) {
    for (index, one) in fields.enumerated() {
      let bits = one.field.bits
      guard bits.lowerBound >= 0, bits.upperBound <= 63 else {
        throw LayoutError(
          layout: name, rule: "field '\(one.field.name)' lies outside bits 0 to 63",
          owner: one.field.name)
      }
      for other in fields[(index + 1)...] {
        if other.role == one.role, one.role != .own {
          throw LayoutError(
            layout: name, rule: "two fields play the part '\(one.role.rawValue)'",
            owner: other.field.name)
        }
        let overlap = one.field.mask & other.field.mask
        if overlap != 0, !one.forms.isDisjoint(with: other.forms) {
          throw LayoutError(
            layout: name, rule: "field '\(one.field.name)' overlaps another", bits: overlap,
            owner: other.field.name)
        }
      }
    }
  }

  private static func checkMarkers(
    _ markers: KeyValuePairs<String, UInt64>, _ masks: SPTEMasks, name: String
  ) throws(LayoutError) {
    for (marker, value) in markers {
      let forbidden: KeyValuePairs<String, UInt64> = [
        "MMU-present": masks.mmuPresent, "address": masks.address,
        "hardware access": masks.readable | masks.writable | masks.executable,
        "saved access": masks.savedReadable | masks.savedExecutable
          | masks.savedUserExecutable,
      ]
      for (owner, mask) in forbidden where value & mask != 0 {
        throw LayoutError(
          layout: name, rule: "the \(marker) sets bits of a present entry", bits: value & mask,
          owner: owner)
      }
    }
    if markers.count == 2, markers[0].value == markers[1].value {
      throw LayoutError(layout: name, rule: "the frozen and the non-present value are the same")
    }
  }
}
