import Foundation
import Paging
import PluginHost
import Testing

@Suite("The plugin mmio_window")
struct MMIOWindowTests {
  let workshop: Workshop
  let path: String
  let services = NotedServices()

  init() throws {
    workshop = try Workshop()
    path = try workshop.build(
      Workshop.root.appendingPathComponent("Plugins/mmio_window/mmio_window.c"),
      name: "mmio_window")
  }

  private func fault(_ gpa: UInt64, _ kind: AccessKind = .write) -> FaultInfo {
    FaultInfo(
      gpa: GPA(gpa), gva: nil, kind: kind, isUser: false, hasSlot: true,
      largestLevel: .pageTable, vcpu: 0)
  }

  private let standard = MMIOMask(value: 6, mask: 1 << 63 | 7, accessMask: 0)

  @Test("the EPT mask sets a reserved address bit, or is write-only where there is none")
  func masks() throws {
    let plugin = try Plugin(path: path, services: services)
    let reserved = try plugin.mmioMask(maxphyaddr: 46, encoder: "ept", standard: standard)
    #expect(reserved == MMIOMask(value: 1 << 51 | 6, mask: 1 << 63 | 1 << 51 | 7, accessMask: 0))
    #expect(
      try plugin.mmioMask(maxphyaddr: 52, encoder: "ept", standard: standard)
        == MMIOMask(value: 2, mask: 1 << 63 | 7, accessMask: 0))
    #expect(try plugin.mmioMask(maxphyaddr: 46, encoder: "npt", standard: standard) == standard)
    #expect(services.log.first?.contains("0x8000000000006") == true)
    for (choice, value) in [("write-only", 2), ("default", 6)] as [(String, UInt64)] {
      let plugin = try Plugin(path: path, settings: ["ept-mask": choice])
      let mask = try plugin.mmioMask(maxphyaddr: 46, encoder: "ept", standard: standard)
      #expect(mask?.value == value)
    }
  }

  @Test("the window's verdict counts inside it, from its first to its last byte")
  func window() throws {
    let plugin = try Plugin(
      path: path,
      settings: [
        "window-start": "0xfe000000", "window-size": "4096", "window-verdict": "inject",
        "window-error": "0x18", "window-access": "w",
      ], services: services)
    let policy = PluginPolicy(plugin)
    let inject = FaultVerdict.inject(vector: 13, errorCode: 0x18)
    #expect(policy.verdict(on: fault(0xFDFF_FFFF)) == .proceed)
    #expect(policy.verdict(on: fault(0xFE00_0000)) == inject)
    #expect(policy.verdict(on: fault(0xFE00_0FFF)) == inject)
    #expect(policy.verdict(on: fault(0xFE00_1000)) == .proceed)
    #expect(policy.verdict(on: fault(0xFE00_0000, .read)) == .proceed)
    #expect(services.counts == ["asked": 5, "hits": 2])
  }

  @Test("without settings there is no window; with others than it knows it declines")
  func settings() throws {
    let quiet = PluginPolicy(try Plugin(path: path))
    #expect(quiet.verdict(on: fault(0)) == .proceed)
    for (key, value) in [
      ("window-start", "12z"), ("window-size", "-1"), ("window-verdict", "panic"),
      ("ept-mask", "7"), ("window-access", "rq"), ("window-size", "99999999999999999999"),
    ] {
      #expect(throws: PluginError.declined(plugin: "mmio_window", status: 1)) {
        try Plugin(path: path, settings: [key: value])
      }
    }
    #expect(throws: PluginError.declined(plugin: "mmio_window", status: 1)) {
      try Plugin(
        path: path, settings: ["window-start": "0xffffffffffffffff", "window-size": "2"])
    }
  }
}
