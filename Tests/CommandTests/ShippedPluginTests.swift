import Foundation
import Paging
import PluginHost
import Synchronization
import TestSupport
import Testing

@Suite("The plugins that come with it (SPEC H7)")
struct ShippedPluginTests {
  private static let built = Result { try BuiltPlugins() }

  /// Keeps lines and counts.
  private final class Notes: PluginServices {
    let log = Mutex<[String]>([])
    let counts = Mutex<[String: UInt64]>([:])
    func log(_ message: String, severity: PluginSeverity, from plugin: String) {
      log.withLock { $0.append(message) }
    }
    func count(_ counter: String, by amount: UInt64, from plugin: String) {
      counts.withLock { $0[counter, default: 0] += amount }
    }
    func read(_ gpa: GPA, into bytes: inout MutableRawSpan) -> Bool { false }
    func write(_ bytes: borrowing RawSpan, to gpa: GPA) -> Bool { false }
    func translate(_ gva: GVA, vcpu: Int, for access: AccessKind, isUser: Bool) -> GPA? { nil }
  }

  private let notes = Notes()

  private func load(_ name: String, _ settings: [String: String] = [:]) throws -> Plugin {
    try Plugin(path: try Self.built.get()[name], settings: settings, services: notes)
  }

  private func fault(
    _ gpa: UInt64, _ kind: AccessKind = .read, vcpu: Int = 0
  ) -> FaultInfo {
    FaultInfo(
      gpa: GPA(gpa), gva: nil, kind: kind, isUser: false, hasSlot: true,
      largestLevel: .directoryPointer, vcpu: vcpu)
  }

  @Test("every plugin in C and C++ is built and passes the check")
  func check() throws {
    let built = try Self.built.get()
    let files = try FileManager.default.contentsOfDirectory(atPath: built.folder)
    #expect(files.count >= 9)
    for file in files {
      let run = try Command(["plugin", "check", built.folder + "/" + file])
      #expect(run.status == 0, "\(file): \(run.error)")
      #expect(run.lines.first?.hasPrefix(file.dropLast(3)) == true)
    }
  }

  @Test("without rustc the rest is built, and a message says what is left out")
  func withoutRust() throws {
    let built = try BuiltPlugins(rustc: "false")
    #expect(FileManager.default.fileExists(atPath: built["uart"]))
    #expect(!FileManager.default.fileExists(atPath: built["cache_types"]))
    let again = try BuiltPlugins.make(["OUT=\(built.folder)", "RUSTC=false"])
    #expect(again.output == "plugins: no rustc; left out: cache_types\n")
  }

  @Test("the masks of 2011 keep what today's entries have room for (SPEC E7)")
  func legacyMask() throws {
    let plugin = try load("legacy_mask")
    func mask(_ encoder: String, _ width: Int) throws -> MMIOMask? {
      try plugin.mmioMask(
        maxphyaddr: width, encoder: encoder, standard: MMIOMask(value: 6, mask: 7, accessMask: 0))
    }
    #expect(
      try mask("ept", 40)
        == MMIOMask(value: 0xE_0000_0000_0006, mask: 0x800E_0000_0000_0007, accessMask: 0))
    #expect(
      try mask("ept", 51)
        == MMIOMask(value: 0x8_0000_0000_0006, mask: 0x8008_0000_0000_0007, accessMask: 0))
    #expect(
      try mask("npt", 48)
        == MMIOMask(value: 0xF_0000_0000_0001, mask: 0xF_0000_0000_0001, accessMask: 6))
    #expect(notes.log.withLock { $0.count } == 3)
    for encoder in ["ept", "shadow"] {
      #expect(try mask(encoder, 52) == MMIOMask(value: 6, mask: 7, accessMask: 0))
    }
    #expect(notes.log.withLock { $0.last?.hasSuffix("is free; kept as it was") } == true)
    #expect(try mask("tdx", 40) == MMIOMask(value: 6, mask: 7, accessMask: 0))
  }

  @Test("the exact mask of 2011 is refused with its bits, unless a layout has no generation (H3)")
  func exactLegacyMask() throws {
    let run = try Command([
      "plugin", "check", try Self.built.get()["legacy_mask"], "--set", "form=exact",
    ])
    #expect(run.status == 2)
    #expect(run.error.contains("the MMIO value or mask leaves bits 63, 51:12 and 2:0"))
    #expect(run.error.contains("bits 52, 53, 54, 55, 56"))
    let plugin = try load("legacy_mask", ["form": "exact"])
    let ept = try plugin.mmioMask(maxphyaddr: 40, encoder: "ept", standard: nil)
    #expect(ept?.value == 0xFF << 49 | 6)
    let shadow = try plugin.mmioMask(maxphyaddr: 52, encoder: "shadow", standard: nil)
    #expect(shadow?.value == 0x7FF << 52)
    #expect(throws: PluginError.self) { try load("legacy_mask", ["form": "new"]) }
  }

  @Test(
    "H3 E17 software bits that are in use are refused with hook, plugin, value, rule, bit and owner",
    arguments: [
      ("ept", "host: 54", ["overlaps another; bit 54", "host-writable"]),
      ("ept", "mmu: 12", ["hardware does not ignore", "bit 12", "ADDR"]),
      ("ept", "present: 60", ["an MMIO entry would be MMU-present; bit 60 (MMU-present)"]),
      ("ept", "kind: 53", ["overlaps another; bit 54", "saved R"]),
      ("npt", "host: 8", ["hardware does not ignore", "bit 8"]),
      ("shadow", "mmu: 60", ["hardware does not ignore", "bit 60", "KEY"]),
      ("shadow", "host: 52", ["overlaps another; bit 52", "AD kind"]),
    ])
  func softwareBits(mmu: String, setting: String, words: [String]) throws {
    let plugin = try Self.built.get()["software_bits"]
    func run(_ settings: String) throws -> Command {
      let file = try TemporaryFile(
        "bits.yaml",
        """
        scenario: 1
        machine: {guest: none, mmu: \(mmu), memory: [{gpa: 0x0, size: 1 MiB}]}
        plugins: [{path: \(plugin), settings: {\(settings)}}]
        steps:
          - write: {va: 0x1000, value: 7}
          - audit: {}

        """)
      return try Command(["run", file.path])
    }
    let refused = try run(setting)
    #expect(refused.status == 2)
    for word in words + ["software_bits", "hook spte_layout", "the answer {0x"] {
      #expect(refused.error.contains(word), "\(refused.error)")
    }
    #expect(try run(mmu == "ept" ? "host: 57, mmu: 58" : "host: 54, mmu: 55").status == 0)
  }

  @Test("the exact mask of 2011 is accepted by the layout of 2011")
  func exactMaskInItsLayout() throws {
    let plugin = try Self.built.get()["legacy_mask"]
    for (mmu, layout, status) in [
      ("ept", "2011", 0), ("npt", "2011", 0), ("shadow", "2011", 0), ("ept", "standard", 2),
      ("ept", "2008", 2),
    ] as [(String, String, Int32)] {
      let file = try TemporaryFile(
        "exact.yaml",
        """
        scenario: 1
        machine: {guest: none, mmu: \(mmu), layout: \(layout), maxphyaddr: 40, memory: [{gpa: 0x0, size: 1 MiB}]}
        plugins: [{path: \(plugin), settings: {form: exact}}]
        steps:
          - read: {va: 0x40000000}
            expect: {mmio: true}
          - read: {va: 0x40000000}
            expect: {mmio: true}

        """)
      let run = try Command(["run", file.path])
      #expect(run.status == status, "\(mmu) \(layout): \(run.error)")
    }
  }

  @Test("MMIO entries can suppress #VE")
  func suppressVE() throws {
    let mask = try load("suppress_ve").mmioMask(maxphyaddr: 52, encoder: "ept", standard: nil)
    #expect(mask == MMIOMask(value: 1 << 63 | 6, mask: 1 << 63 | 7, accessMask: 0))
  }

  @Test("memory that is written often is mapped small, and large again once it has cooled")
  func heat() throws {
    let policy = PluginPolicy(try load("heat_level", ["hot": "3", "half-life": "8"]))
    let hot: UInt64 = 0x4000_0000
    #expect(policy.mappingLevel(for: fault(hot, .write)) == .directory)
    #expect(policy.mappingLevel(for: fault(hot + 0x1000, .write)) == .directory)
    #expect(policy.mappingLevel(for: fault(hot, .read)) == .directory)
    #expect(policy.mappingLevel(for: fault(hot, .write)) == .pageTable)
    #expect(policy.mappingLevel(for: fault(hot + 0x20_0000, .write)) == .directory)
    for _ in 0..<11 { _ = policy.mappingLevel(for: fault(0, .read)) }
    #expect(policy.mappingLevel(for: fault(hot, .read)) == .directory)
    #expect(policy.firstRefusal == nil)
    #expect(throws: PluginError.self) { try load("heat_level", ["hot": "0"]) }
  }

  @Test("what is at home is mapped large, what is remote small")
  func numa() throws {
    let settings = ["nodes": "2", "stripe": "0x40000000"]
    let policy = PluginPolicy(try load("numa_level", settings))
    #expect(policy.mappingLevel(for: fault(0, vcpu: 0)) == .directoryPointer)
    #expect(policy.mappingLevel(for: fault(0, vcpu: 1)) == .pageTable)
    #expect(policy.mappingLevel(for: fault(0x4000_0000, vcpu: 3)) == .directoryPointer)
    #expect(policy.mappingLevel(for: fault(0x4000_0000, vcpu: 2)) == .pageTable)
    let narrow = PluginPolicy(try load("numa_level", ["stripe": "0x200000"]))
    #expect(narrow.mappingLevel(for: fault(0, vcpu: 0)) == .directory)
    #expect(notes.counts.withLock { $0 } == ["local": 3, "remote": 2])
  }

  @Test("the guard in C++ takes permissions away, and keeps its ranges apart from their neighbours")
  func guardedPages() throws {
    let policy = PluginPolicy(
      try load(
        "page_guard", ["read-only": "0x1000-0x2800 0x8000-0x9000", "no-execute": "0x2000-0x3000"]))
    let withheld = (0...9 as ClosedRange<UInt64>).map { policy.withheldPermissions(gfn: GFN($0)) }
    #expect(withheld[0] == [] && withheld[1] == .write && withheld[2] == [.write, .execute])
    #expect(withheld[3] == [] && withheld[8] == .write && withheld[9] == [])
    #expect(policy.mappingLevel(for: fault(0x1F_F000)) == .pageTable)
    #expect(policy.mappingLevel(for: fault(0x20_0000)) == .directory)
    #expect(policy.mappingLevel(for: fault(0x4000_0000)) == .directoryPointer)
    for bad in ["x", "0x2000-0x1000", "0x1000-", "0x1000-0x2000,"] {
      #expect(throws: PluginError.self, "\(bad)") { try load("page_guard", ["read-only": bad]) }
    }
  }

  @Test("memory types by range, from Rust")
  func types() throws {
    let path = try Self.built.get()["cache_types"]
    guard FileManager.default.fileExists(atPath: path) else { return }
    let policy = PluginPolicy(try load("cache_types", ["write-combining": "0xc0000000-0xd0000000"]))
    let type = policy.memoryType(gfn: GFN(0xC_0000))
    #expect(type?.type == .writeCombining && type?.ignoresPAT == true)
    #expect(policy.memoryType(gfn: GFN(0xD_0000)) == nil)
    #expect(throws: PluginError.self) { try load("cache_types", ["uncached": "5-4"]) }
  }

  @Test("the serial port transmits lines, loops back and keeps its registers")
  func uart() throws {
    let device = try PluginDevice(try load("uart"), at: GPA(0xFE00_0000))
    for byte in "hi\n".utf8 { try device.write(UInt64(byte), offset: 0, byteCount: 1) }
    #expect(notes.log.withLock { $0 } == ["hi"])
    try device.write(0x10, offset: 4, byteCount: 1)
    try device.write(0x5A, offset: 0, byteCount: 1)
    #expect(try device.read(offset: 5, byteCount: 1) == 0x61)
    #expect(try device.read(offset: 0, byteCount: 1) == 0x5A)
    #expect(try device.read(offset: 5, byteCount: 1) == 0x60)
    try device.write(0x80, offset: 3, byteCount: 1)
    try device.write(0x0C, offset: 0, byteCount: 1)
    #expect(try device.read(offset: 0, byteCount: 1) == 0x0C)
    #expect(try device.read(offset: 2, byteCount: 1) == 1)
  }

  @Test("the screen keeps pixels of every width and shows them")
  func framebuffer() throws {
    let device = try PluginDevice(
      try load("framebuffer", ["width": "4", "height": "2"]), at: GPA(0xFE10_0000))
    #expect(try device.read(offset: 0, byteCount: 4) == 0x3130_4246)
    #expect(try device.read(offset: 4, byteCount: 4) == 4)
    try device.write(0xFF_00FF, offset: 0x1001, byteCount: 3)
    #expect(try device.read(offset: 0x1000, byteCount: 8) == 0xFF00_FF00)
    #expect(try device.read(offset: 0x1008, byteCount: 8) == 0)
    try device.write(1, offset: 0xC, byteCount: 4)
    #expect(notes.log.withLock { $0 } == [" # #", "    "])
  }

  @Test("the tracer writes wanted events to its file, and its settings are understood whole")
  func tracer() throws {
    let file = try TemporaryFile("trace.txt", "")
    do {
      let plugin = try load("event_trace", ["file": file.path, "only": "exit mmio-hit"])
      for event in ["exit", "mmio", "mmio-hit", "hit"] {
        plugin.tell(event: event, vcpu: 0, address: 0x1000, value: 2)
      }
    }
    let text = try String(contentsOfFile: file.path, encoding: .utf8)
    #expect(text == "exit 0x1000 0x2\nmmio-hit 0x1000 0x2\n")
    #expect(notes.counts.withLock { $0 } == ["exit": 1, "mmio-hit": 1])
  }

  @Test("devices and events of plugins in a scenario: loaded, apart, and left out")
  func scenario() throws {
    try #require(try BuiltPlugins.make([]).status == 0)
    let file = SharedFiles.packageRoot + "/Examples/plugin-devices.yaml"
    let run = try Command(["run", file])
    #expect(run.status == 0, "\(run.output)")
    #expect(run.lines.contains { $0.hasSuffix("uart: hi") })
    #expect(run.lines.contains { $0.hasSuffix("framebuffer: .:-=+*##") }, "\(run.output)")
    #expect(run.lines.contains { $0.contains("event_trace: mmio-installed 0xfe000000 0x") })
    #expect(run.lines.contains { $0.hasSuffix("event_trace.mmio-installed: 3") })
    #expect(try Command(["run", file, "--isolate-plugins"]).output == run.output)
    let without = try Command(["run", file, "--without-plugins"])
    #expect(without.status == 1)
    #expect(without.error.contains("note: the device 'uart' is left out with its plugin"))
  }

  @Test("a device that no plugin is names the line; one that answers too wide ends the run")
  func badDevices() throws {
    let built = try Self.built.get()
    func run(_ name: String, plugin: String) throws -> Command {
      let scenario = try TemporaryFile(
        "device.yaml",
        """
        scenario: 1
        machine:
          guest: none
          mmu: ept
          memory:
            - {gpa: 0xfe000000, size: 4 KiB, plugin: \(name)}
        plugins: [{path: \(plugin)}]
        steps: [{read: {va: 0xfe000000, size: 1}}]
        """)
      return try Command(["run", scenario.path])
    }
    let unknown = try run("screen", plugin: built["uart"])
    #expect(unknown.status == 2)
    #expect(
      unknown.error.contains(":6: ") && unknown.error.contains("no plugin has this name (uart)"))
    let noDevice = try run("heat_level", plugin: built["heat_level"])
    #expect(noDevice.status == 2 && noDevice.error.contains("'mmio_read' is not served"))

    let source = try TemporaryFile(
      "wide.c",
      """
      #include "mmu_plugin.h"
      MMU_PLUGIN_EXPORT uint64_t get(void) { return 0x1ff; }
      MMU_PLUGIN_EXPORT void set(void) {}
      static const struct mmu_plugin_hook hooks[] = {
        {"mmio_read", "get", "u64()"}, {"mmio_write", "set", "void()"}};
      const struct mmu_plugin mmu_plugin_manifest = {
        MMU_PLUGIN_HEADER, .name = "wide", .version = "1", .hooks = hooks, .hook_count = 2,
        .hook_size = sizeof hooks[0]};
      """)
    let compiler = Process()
    compiler.executableURL = URL(filePath: "/usr/bin/env")
    compiler.arguments = [
      "cc", "-shared", "-fPIC", "-I\(SharedFiles.packageRoot)/Plugins/include", "-o",
      source.path + ".so", source.path,
    ]
    try compiler.run()
    compiler.waitUntilExit()
    let wide = try run("wide", plugin: source.path + ".so")
    #expect(wide.status == 2)
    #expect(wide.error.contains("plugin 'wide', hook mmio_read: the answer 0x1ff is refused"))
    #expect(wide.error.contains("bit 8"))
  }
}
