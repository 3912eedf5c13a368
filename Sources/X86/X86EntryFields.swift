public import Paging

/// The fields of guest entries that the x86 modes share; a mode's layout is made of these and its own.
///
/// **Source** Intel SDM Vol. 3A, "Paging", the tables of entry formats.
public enum X86EntryFields {
  /// The section that the shared fields are from.
  public static var source: String { "Intel SDM Vol. 3A, \"Paging\"" }

  /// Bit 0.
  public static var present: BitField { field("P", 0, "present") }
  /// Bits 0 to 5 of an entry that points to a table or maps a page.
  public static var common: [BitField] {
    [
      present, field("R/W", 1, "writable"), field("U/S", 2, "user"),
      field("PWT", 3, "page-level write-through"), field("PCD", 4, "page-level cache disable"),
      field("A", 5, "accessed"),
    ]
  }
  /// Bit 6 of a leaf.
  public static var dirty: BitField { field("D", 6, "dirty") }
  /// Bit 7 above the last level.
  public static var pageSize: BitField { field("PS", 7, "maps a page") }
  /// Bit 8 of a leaf.
  public static var global: BitField { field("G", 8, "global") }
  /// Bit 63 of an 8-byte entry.
  public static var executeDisable: BitField { field("XD", 63, "execute disable") }

  /// PAT's index bit: 7 in a 4 KiB leaf, 12 in a larger one.
  public static func memoryTypeIndex(_ bit: Int) -> BitField {
    field("PAT", bit, "page-attribute-table index")
  }

  /// Bits that hardware passes over.
  public static func available(_ bits: ClosedRange<Int>) -> BitField {
    BitField(
      "AVL", bits, "for software", source: source, whyFree: "ignored by the processor")
  }

  /// The address of a table.
  public static func table(_ bits: ClosedRange<Int>) -> BitField {
    BitField("TABLE", bits, "address of the next table", source: source)
  }

  /// The address of a page.
  public static func page(_ bits: ClosedRange<Int>) -> BitField {
    BitField("PAGE", bits, "address of the page", source: source)
  }

  /// Bits that must be 0.
  public static func reserved(_ bits: ClosedRange<Int>) -> BitField {
    BitField("RSVD", bits, "must be 0", source: source)
  }

  /// The protection key of a leaf in a long mode.
  public static var protectionKey: BitField {
    BitField("KEY", 59...62, "protection key", source: "Intel SDM Vol. 3A, \"Protection Keys\"")
  }

  private static func field(_ name: String, _ bit: Int, _ meaning: String) -> BitField {
    BitField(name, bit...bit, meaning, source: source)
  }
}
