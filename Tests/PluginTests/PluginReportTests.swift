import Paging
import PluginHost
import Testing

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
}
