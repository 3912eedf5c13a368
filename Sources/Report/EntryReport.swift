public import Paging

/// A table entry told field by field.
public struct EntryReport: Sendable {
  /// The entry.
  public let entry: UInt64
  /// Its layout, ascending.
  public let fields: [BitField]

  /// An entry and the layout to read it by.
  public init(_ entry: UInt64, fields: [BitField]) {
    self.entry = entry
    self.fields = fields
  }

  /// One object a field: `{"name","bits","value","meaning"}`; addresses are the bits in place.
  public var json: [JSONLine] {
    fields.map { field in
      var line = JSONLine()
      line.add("name", field.name)
      line.add("bits", field.bitsDescription)
      line.add("value", hex: shownValue(field))
      line.add("meaning", field.meaning)
      return line
    }
  }

  /// The fields that are set, in words: `P R/W A, table 0x1000`.
  public var words: String {
    var flags: [String] = []
    var values: [String] = []
    for field in fields where entry & field.mask != 0 {
      if field.bits.count == 1 {
        flags.append(field.name)
      } else {
        values.append("\(field.name)=\(shownValue(field).hex)")
      }
    }
    if flags.isEmpty && values.isEmpty { return "nothing set" }
    return (flags + values).joined(separator: " ")
  }

  /// An address field is shown in place, others moved down to bit 0.
  private func shownValue(_ field: BitField) -> UInt64 {
    switch field.name {
    case "TABLE", "PAGE": entry & field.mask
    default: field.value(in: entry)
    }
  }
}
