import Paging
import PluginHost
import Testing
import X86EPT
import X86NPT

@Suite("Trying a plugin's hooks")
struct PluginReportTests {
  let workshop: Workshop

  init() throws { workshop = try Workshop() }

  private func plugin(threshold: Int) throws -> Plugin {
    var source = PluginSource()
    source.code = """
      uint64_t mask(uint32_t maxphyaddr) { return 1ull << maxphyaddr; }
      uint32_t flood(void) { return \(threshold); }
      uint64_t get(void) { return 0; }
      """
    source.hooks = [
      ("mmio_spte_mask", "mask", "u64(u32 maxphyaddr)"), ("flood_threshold", "flood", "u32()"),
      ("mmio_read", "get", "u64()"),
    ]
    return try Plugin(path: workshop.build(source.text, name: "threshold\(threshold)"))
  }

  @Test("each hook is tried with samples and each mask composed; a device is left alone")
  func tries() throws {
    let sample = PluginReport.MaskSample(encoder: "ept", maxphyaddr: 40, standard: nil) { _ in }
    let report = try PluginReport(trying: plugin(threshold: 4), masks: [sample])
    #expect(
      report.trials.map { [$0.hook, $0.question, $0.answer] } == [
        [
          "mmio_spte_mask", "ept, maxphyaddr 40",
          "value 0x10000000000, mask 0x10000000000, access 0x0",
        ],
        ["flood_threshold", "gfn 0x1, default 3", "4"],
      ])
    #expect(report.untried == ["mmio_read"])
  }

  @Test("the first answer that is refused ends the trial")
  func refuses() throws {
    let sample = PluginReport.MaskSample(encoder: "ept", maxphyaddr: 40, standard: nil) {
      mask throws(LayoutError) in
      throw LayoutError(layout: "ept", rule: "no", bits: mask.value, owner: "GFN")
    }
    let masked = try plugin(threshold: 1)
    let error = #expect(throws: PluginError.self) {
      try PluginReport(trying: masked, masks: [sample])
    }
    #expect(error?.description.hasSuffix("ept: no; bit 40 (GFN)") == true)
    let none = try plugin(threshold: 0)
    #expect(throws: PluginError.self) { try PluginReport(trying: none, masks: []) }
  }

  @Test("H3 a layout is tried on each encoder; one that takes it is enough")
  func layouts() throws {
    func plugin(_ name: String, hostWritable: Int) throws -> Plugin {
      var source = PluginSource()
      source.code = """
        struct layout { uint64_t a, b, c, d, e, f; };
        struct layout bits(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t f) {
          struct layout answer = {a, b, c, d, 1ull << \(hostWritable), f};
          return answer;
        }
        """
      source.hooks = [
        (
          "spte_layout", "bits",
          "{u64,u64,u64,u64,u64,u64}(u64 non_present, u64 frozen, u64 mmu_present, u64 ad_kind,"
            + " u64 mmu_writable)"
        )
      ]
      return try Plugin(path: workshop.build(source.text, name: name))
    }
    let samples = [
      PluginReport.LayoutSample(try EPTEncoder(EPTCapabilities(physicalAddressWidth: 46))),
      PluginReport.LayoutSample(try NPTEncoder(NPTCapabilities(physicalAddressWidth: 46))),
    ]
    // Bit 55 is free in both, 6 is the memory type's or D, 9 is free in NPT alone.
    let free = try PluginReport(
      trying: plugin("free", hostWritable: 55), masks: [], layouts: samples)
    #expect(free.untried == [])
    #expect(free.trials.map(\.question) == ["ept, maxphyaddr 46", "npt, maxphyaddr 46"])
    #expect(free.trials.allSatisfy { $0.answer.contains("host-writable 0x80000000000000") })
    let taken = try plugin("taken", hostWritable: 6)
    let error = #expect(throws: PluginError.self) {
      try PluginReport(trying: taken, masks: [], layouts: samples)
    }
    #expect(error?.description.contains("spte_layout") == true)
    let half = try PluginReport(
      trying: plugin("half", hostWritable: 9), masks: [], layouts: samples)
    #expect(half.trials.count { $0.answer.hasPrefix("refused: ") } == 1)
  }
}
