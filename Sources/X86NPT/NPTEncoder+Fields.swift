import Paging

extension NPTEncoder {
  /// The layout's table of fields.
  static func fields(_ capabilities: NPTCapabilities) -> [SPTEField] {
    let format = "AMD APM Vol. 2, \"Page-Translation-Table Entry Fields\""
    let available = "available to software"
    func hardware(
      _ role: SPTEField.Role, in forms: SPTEField.Forms, _ name: String, _ bits: ClosedRange<Int>,
      _ meaning: String
    ) -> SPTEField {
      SPTEField(role, in: forms, BitField(name, bits, meaning, source: format))
    }
    func software(
      _ role: SPTEField.Role, in forms: SPTEField.Forms, _ name: String, _ bits: ClosedRange<Int>,
      _ meaning: String, _ whyFree: String
    ) -> SPTEField {
      SPTEField(
        role, in: forms,
        BitField(name, bits, meaning, source: "software", whyFree: whyFree))
    }
    let malformed = "the entry has a reserved bit whatever they hold"
    var fields = [
      hardware(.readable, in: .present, "P", 0...0, "present"),
      hardware(.writable, in: .present, "R/W", 1...1, "writes allowed"),
      hardware(.user, in: .present, "U/S", 2...2, "always 1: nested walks are user accesses"),
      hardware(.memoryType, in: .leaf, "PCD:PWT", 3...4, "memory type by the host's PAT"),
      hardware(.accessed, in: .present, "A", 5...5, "has been used"),
      hardware(.dirty, in: .leaf, "D", 6...6, "has been written"),
      hardware(.pageSize, in: .present, "PS", 7...7, "maps a large page"),
      software(
        .hostWritable, in: .leaf, "host-writable", 9...9, "the host allows writes", available),
      software(
        .mmuWritable, in: .leaf, "MMU-writable", 10...10, "the MMU may set W without asking",
        available),
      software(
        .mmuPresent, in: .present, "MMU-present", 11...11,
        "the MMU regards the entry as present", available),
      hardware(
        .address, in: .present, "ADDR", 12...(capabilities.physicalAddressWidth - 1),
        "page or table address"),
      software(
        .mmioGenerationLow, in: .mmio, "MMIO generation 7:0", 3...10,
        "memslot generation when the entry was made", malformed),
      software(
        .mmioGenerationHigh, in: .mmio, "MMIO generation 18:8", 52...62,
        "memslot generation when the entry was made", malformed),
    ]
    if capabilities.form != .pae {
      fields.append(
        software(
          .adKind, in: .present, "AD kind", 52...53, "0 A/D by hardware, 2 write-protect only",
          available))
    }
    if capabilities.noExecute {
      fields.append(hardware(.noExecute, in: .present, "NX", 63...63, "fetches forbidden"))
    }
    return fields
  }
}
