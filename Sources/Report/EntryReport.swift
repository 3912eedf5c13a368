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

  /// One line a field: bits, name, value, meaning.
  public var lines: [String] {
    fields.map { field in
      let bits = String(repeating: " ", count: max(5 - field.bitsDescription.count, 0))
      return "\(bits)\(field.bitsDescription)  \(field.name) = \(shownValue(field).hex)"
        + "  \(field.meaning)"
    }
  }

  /// The fields that are set, in words: `P present, R/W writable, address of the page 0x1000`.
  public var words: String {
    let set = fields.filter { entry & $0.mask != 0 }
    if set.isEmpty { return "nothing set" }
    return set.map { field in
      if field.bits.count == 1 { return "\(field.name) \(field.meaning)" }
      let name = Self.isAddress(field) ? "" : "\(field.name) "
      return "\(name)\(field.meaning) \(shownValue(field).hex)"
    }.joined(separator: ", ")
  }

  /// An address field is shown in place, others moved down to bit 0.
  private func shownValue(_ field: BitField) -> UInt64 {
    Self.isAddress(field) ? entry & field.mask : field.value(in: entry)
  }

  private static func isAddress(_ field: BitField) -> Bool {
    ["TABLE", "PAGE", "ADDR"].contains(field.name)
  }
}
