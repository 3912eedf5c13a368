public import Paging

/// The table of fields of a legacy shadow entry (SPEC E11, E17).
public enum ShadowFields {
  /// The fields, for a processor with the given MAXPHYADDR.
  ///
  /// - Parameter physicalAddressWidth: **Units** bits, 32...52.
  public static func table(physicalAddressWidth: Int) -> [SPTEField] {
    hardware(physicalAddressWidth: physicalAddressWidth) + software
  }

  private static func hardware(physicalAddressWidth: Int) -> [SPTEField] {
    let paging = "Intel SDM Vol. 3A, \"4-Level Paging and 5-Level Paging\""
    func field(
      _ role: SPTEField.Role, _ forms: SPTEField.Forms, _ name: String,
      _ bits: ClosedRange<Int>, _ meaning: String
    ) -> SPTEField {
      SPTEField(role, in: forms, BitField(name, bits, meaning, source: paging))
    }
    return [
      field(.readable, .present, "P", 0...0, "present"),
      field(.writable, .present, "W", 1...1, "writes allowed"),
      field(.user, .present, "U", 2...2, "user mode allowed"),
      field(.accessed, .present, "A", 5...5, "has been used"),
      field(.dirty, .leaf, "D", 6...6, "has been written"),
      field(.pageSize, .present, "PS", 7...7, "maps a large page"),
      field(
        .address, .present, "ADDR", 12...(physicalAddressWidth - 1), "page or table address"),
      SPTEField(
        .protectionKey, in: .leaf,
        BitField(
          "KEY", 59...62, "the guest page's protection key",
          source: "Intel SDM Vol. 3A, \"Protection Keys\"")),
      field(.noExecute, .present, "NX", 63...63, "fetches not allowed"),
    ]
  }

  private static var software: [SPTEField] {
    let ignored = "ignored by the processor in present entries"
    let malformed = "the entry has a reserved bit whatever they hold"
    func field(
      _ role: SPTEField.Role, _ forms: SPTEField.Forms, _ name: String,
      _ bits: ClosedRange<Int>, _ meaning: String, _ whyFree: String
    ) -> SPTEField {
      SPTEField(
        role, in: forms, BitField(name, bits, meaning, source: "software", whyFree: whyFree))
    }
    return [
      field(
        .mmioGenerationLow, .mmio, "MMIO generation 7:0", 3...10,
        "memslot generation when the entry was made", malformed),
      field(.hostWritable, .leaf, "host-writable", 9...9, "the host allows writes", ignored),
      field(
        .mmuWritable, .leaf, "MMU-writable", 10...10, "the MMU may set W without asking", ignored),
      field(
        .mmuPresent, .present, "MMU-present", 11...11, "the MMU regards the entry as present",
        ignored),
      field(.adKind, .present, "AD kind", 52...53, "always 0: A/D by hardware", ignored),
      field(
        .mmioGenerationHigh, .mmio, "MMIO generation 18:8", 52...62,
        "memslot generation when the entry was made", malformed),
    ]
  }
}
