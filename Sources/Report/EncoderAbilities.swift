public import Paging

/// What an encoder's entries can say, found by asking the encoder and reading back what hardware would
/// grant.
public struct EncoderAbilities: Sendable {
  /// One thing that entries may be able to say.
  public struct Ability: Sendable, Hashable {
    /// What, in words.
    public let name: String
    /// How far: yes, no, or a number.
    public let value: String
    /// Whether the entries can say it at all.
    public let isThere: Bool
  }

  /// In the order of the table.
  public let all: [Ability]

  /// Asks an encoder.
  public init(_ encoder: some SPTEEncoder) {
    let masks = encoder.layout.masks
    let combinations: [(String, Permissions)] = [
      ("read only", [.read]), ("read and write", [.read, .write]),
      ("read and execute", [.read, .execute]), ("execute only", [.execute]),
      ("write only", [.write]), ("write and execute", [.write, .execute]),
    ]
    var all = combinations.map { name, wanted in
      Self.yes(
        name, Self.granted(wanted, by: encoder)?.subtracting(.user) == wanted)
    }
    let supervisor = Self.granted([.read], by: encoder)
    let user = Self.granted([.read, .user], by: encoder)
    all.append(
      Self.yes("user apart from supervisor", supervisor != nil && user != nil && supervisor != user)
    )
    all.append(Self.yes("accessed and dirty", masks.accessed != 0 && masks.dirty != 0))
    all.append(Self.yes("memory type in the entry", masks.memoryType != 0))
    all.append(Self.yes("protection key", masks.protectionKey != 0))
    all.append(Self.yes("violation to the guest (#VE)", masks.suppressVE != 0))
    all.append(Self.number("MMIO generation bits", Self.generationBits(encoder.layout)))
    all.append(Self.number("bits of a leaf that nobody uses", Self.spareBits(encoder.layout)))
    all.append(Self.number("guest physical address bits", encoder.inputWidth))
    all.append(Self.number("levels", encoder.rootLevel.rawValue))
    self.all = all
  }

  /// What hardware grants by a leaf of 4 KiB that was asked for with some permissions; `nil` where it is
  /// no leaf for hardware.
  private static func granted<Encoder: SPTEEncoder>(
    _ permissions: Permissions, by encoder: Encoder
  ) -> Permissions? {
    let leaf = encoder.leaf(LeafRequest(pfn: PFN(1), level: .pageTable, permissions: permissions))
    let format = encoder.format
    guard case .leaf = format.kind(of: leaf.rawValue, at: .pageTable) else { return nil }
    var rights = format.unrestricted
    format.narrow(&rights, by: leaf.rawValue, at: .pageTable)
    return format.permissions(of: rights)
  }

  private static func generationBits(_ layout: SPTELayout) -> Int {
    guard layout.mmio != nil else { return 0 }
    return (layout.masks.mmioGenerationLow | layout.masks.mmioGenerationHigh).nonzeroBitCount
  }

  /// The bits that no field of a leaf owns, reserved address bits left out.
  private static func spareBits(_ layout: SPTELayout) -> Int {
    let reserved = ~(~(0 as UInt64) << UInt64(52)) & ~0 << UInt64(layout.physicalAddressWidth)
    let owned = layout.fields.reduce(reserved) {
      $1.forms.contains(.leaf) ? $0 | $1.field.mask : $0
    }
    return (~owned).nonzeroBitCount
  }

  private static func yes(_ name: String, _ isThere: Bool) -> Ability {
    Ability(name: name, value: isThere ? "yes" : "no", isThere: isThere)
  }

  private static func number(_ name: String, _ count: Int) -> Ability {
    Ability(name: name, value: "\(count)", isThere: count > 0)
  }
}
