import Paging
import PluginHost
import Testing

/// EPT's rule for an entry that hardware would use, as far as the tests need it: readable or
/// executable rights of which W implies R, and no address bit from the width up.
struct EPTRules: EntryLegality {
  let width: Int

  func admitsUsableEntry(ones: UInt64, zeros: UInt64) -> Bool {
    let reserved = (1 << 52 - 1 << UInt64(width)) & ~0 as UInt64
    guard ones & reserved == 0 else { return false }
    return (1...7 as ClosedRange<UInt64>).contains {
      ones & 7 & ~$0 == 0 && zeros & $0 == 0 && ($0 & 2 == 0 || $0 & 1 != 0)
    }
  }
}

@Suite("MMIO masks from plugins (SPEC H3, H4, E6)")
struct MMIOMaskTests {
  let workshop: Workshop
  static let standard = MMIOMask(value: 6, mask: 1 << 63 | 7, accessMask: 0)

  init() throws { workshop = try Workshop() }

  private func compose(_ mask: MMIOMask, width: Int = 46) throws(LayoutError) {
    func field(_ role: SPTEField.Role, _ bits: ClosedRange<Int>, _ forms: SPTEField.Forms)
      -> SPTEField
    {
      SPTEField(role, in: forms, BitField(role.rawValue, bits, "", source: "test"))
    }
    _ = try SPTELayout(
      name: "ept",
      fields: [
        field(.readable, 0...0, .present), field(.writable, 1...1, .present),
        field(.executable, 2...2, .present), field(.mmuPresent, 11...11, .present),
        field(.address, 12...(width - 1), .present), field(.suppressVE, 63...63, .present),
        field(.mmioGenerationLow, 3...10, .mmio), field(.mmioGenerationHigh, 52...62, .mmio),
      ],
      nonPresent: 1 << 63, frozen: 1 << 63 | 0x5A0, physicalAddressWidth: width, mmio: mask,
      legality: EPTRules(width: width))
  }

  private func plugin(
    _ body: String, signature: String = "{u64 value; u64 mask; u64 access;}(u32 maxphyaddr)",
    parameters: String = "uint32_t maxphyaddr", type: String = "struct mmu_plugin_mmio_mask",
    name: String = "mask"
  ) throws -> Plugin {
    var source = PluginSource()
    source.name = "\"\(name)\""
    source.code =
      "#include <string.h>\n\(type) mask(\(parameters)) { \(body) }"
    source.hooks = [("mmio_spte_mask", "mask", signature)]
    return try Plugin(path: workshop.build(source.text, name: name))
  }

  private func ask(_ plugins: Plugin..., width: Int = 46) throws(PluginError) -> MMIOMask? {
    try Plugin.mmioMask(
      of: plugins, maxphyaddr: width, encoder: "ept", encryptionMask: 1 << 47,
      standard: Self.standard
    ) { mask throws(LayoutError) in try compose(mask, width: width) }
  }

  @Test("parameters in any choice and order arrive under their names")
  func parameters() throws {
    let plugin = try plugin(
      """
      struct mmu_plugin_mmio_mask r = {me, (uint64_t)bits << 32 | strlen(name), 0};
      r.access = (dv == 6) | (uint64_t)(dm == (1ull << 63 | 7)) << 1 | (uint64_t)(c == 0) << 2
        | (uint64_t)(da == 0) << 3 | (uint64_t)!strcmp(name, "ept") << 4;
      return r;
      """,
      signature: "{u64,u64,u64}(u64 default_mask, cstr encoder, u64 me_mask, ptr context, "
        + "u64 default_access, u32 maxphyaddr, u64 default_value)",
      parameters: "uint64_t dm, const char *name, uint64_t me, void *c, uint64_t da, "
        + "uint32_t bits, uint64_t dv")
    #expect(
      try plugin.mmioMask(
        maxphyaddr: 46, encoder: "ept", encryptionMask: 1 << 47, standard: Self.standard)
        == MMIOMask(value: 1 << 47, mask: 46 << 32 | 3, accessMask: 31))
    let alone = try self.plugin(
      "return 1ull << maxphyaddr;", signature: "u64(u32 maxphyaddr)", type: "uint64_t",
      name: "short")
    #expect(
      try alone.mmioMask(maxphyaddr: 46, encoder: "ept", standard: nil)
        == MMIOMask(value: 1 << 46, mask: 1 << 46, accessMask: 0))
  }

  @Test(
    "a legal mask is taken, an illegal one is refused with plugin, hook, bits and owner",
    arguments: [
      ("2, 7 | 1ull << 63, 0", []),
      ("1ull << 51 | 6, 1ull << 51 | 7 | 1ull << 63, 0", []),
      ("6, 6, 1ull << 40", ["access mask does not fit 32 bits", "bit 40"]),
      ("0x800 | 6, 0x807 | 1ull << 63, 0", ["leaves bits 63", "bit 11", "mmuPresent"]),
      ("6 | 1ull << 20, 7 | 1ull << 20, 0", ["overlaps address bits", "bit 20", "GFN"]),
      ("7 | 1ull << 63, 7, 0", ["value has bits outside its mask", "bit 63"]),
      ("7, 7 | 1ull << 63, 0", ["would use an MMIO entry as a mapping", "bits 0, 1, 2"]),
      ("0, 0, 0", ["matches every entry"]),
      ("6, 7 | 1ull << 63, 0x8", ["access mask overlaps the generation", "bit 3"]),
    ])
  func legality(answer: String, says: [String]) throws {
    let plugin = try plugin(
      "(void)maxphyaddr; return (struct mmu_plugin_mmio_mask){\(answer)};")
    guard !says.isEmpty else {
      #expect(try ask(plugin) != Self.standard)
      return
    }
    let error = #expect(throws: PluginError.self) { try ask(plugin) }
    let text = try #require(error).description
    for part in says + ["plugin 'mask'", "hook mmio_spte_mask", "{value 0x"] {
      #expect(text.contains(part), "\(text)")
    }
    #expect(!text.contains("\n"))
  }

  @Test("of stacked plugins the last mask counts, and each sees the one before (SPEC H4)")
  func stacking() throws {
    let first = try plugin(
      "(void)maxphyaddr; return (struct mmu_plugin_mmio_mask){2, 7 | 1ull << 63, 0};",
      name: "first")
    let second = try plugin(
      "return (struct mmu_plugin_mmio_mask){v | 1ull << 51, m | 1ull << 51, 0};",
      signature: "{u64,u64,u64}(u64 default_value, u64 default_mask)",
      parameters: "uint64_t v, uint64_t m", name: "second")
    #expect(
      try ask(first, second)
        == MMIOMask(value: 1 << 51 | 2, mask: 1 << 63 | 1 << 51 | 7, accessMask: 0))
    #expect(try ask(second, first)?.value == 2)
    #expect(try ask() == Self.standard)
  }

  @Test("a layout that a plugin proposes is checked field by field (SPEC E17)")
  func layout() throws {
    let fields = [
      SPTEField(
        .mmuPresent, in: .present, BitField("MMU-present", 11...11, "", source: "software")),
      SPTEField(.adKind, in: .present, BitField("AD kind", 52...53, "", source: "software")),
    ]
    let layout = try SPTELayout(
      name: "toy", fields: fields, nonPresent: 0, frozen: 0x5A0, physicalAddressWidth: 46,
      mmio: nil, legality: EPTRules(width: 46))
    func proposal(_ values: String, name: String) throws -> (Plugin, SPTELayoutProposal) {
      var source = PluginSource()
      source.code = """
        struct layout { uint64_t w[6]; };
        struct layout change(uint64_t non_present, uint64_t kind) {
          (void)non_present; (void)kind;
          return (struct layout){{\(values)}};
        }
        """
      source.hooks = [
        ("spte_layout", "change", "{u64,u64,u64,u64,u64,u64}(u64 non_present, u64 ad_kind)")
      ]
      let plugin = try Plugin(path: workshop.build(source.text, name: name))
      return (plugin, try #require(try plugin.layoutProposal(for: layout)))
    }
    let (_, good) = try proposal("non_present, 0x1a0, 0x800, kind << 8, 0, 0", name: "good")
    #expect(good.frozen == 0x1A0)
    let moved = try good.applied(to: fields, layout: "toy")
    #expect(moved.map(\.field.bits) == [11...11, 60...61])
    let (plugin, bad) = try proposal("0, 0x1a0, 0x800, 5, 0, 0", name: "bad")
    let error = #expect(throws: LayoutError.self) {
      try bad.applied(to: fields, layout: "toy")
    }
    let text = plugin.refusal(of: bad, because: try #require(error)).description
    #expect(text.contains("hook spte_layout") && text.contains("bits 0, 2 (AD kind)"), "\(text)")
    let (_, extra) = try proposal("0, 0x1a0, 0x800, kind, 1, 0", name: "extra")
    #expect(throws: LayoutError.self) { try extra.applied(to: fields, layout: "toy") }
  }
}
