import Paging
import PluginHost
import Testing

@Suite("Policies and devices from plugins (SPEC H3, H4)")
struct PluginPolicyTests {
  let workshop: Workshop

  init() throws { workshop = try Workshop() }

  private func plugin(
    _ hook: String, _ signature: String, _ code: String, name: String = "policy"
  ) throws -> Plugin {
    var source = PluginSource()
    source.name = "\"\(name)\""
    source.code = code
    source.hooks = [(hook, "f", signature)]
    return try Plugin(path: workshop.build(source.text, name: name))
  }

  private let fault = FaultInfo(
    gpa: GPA(0x1234_5678_9000), gva: GVA(0xFFFF_8000_0000_1000), kind: .fetch, isUser: true,
    hasSlot: false, largestLevel: .directory, vcpu: 3)

  @Test("all of a fault's parameters arrive under their names, last to first and as a struct")
  func parameters() throws {
    let plugin = try plugin(
      "fault_policy",
      "u32({u64 gpa; u64 gva; u32 access; u32 flags; u32 largest_level; u32 vcpu;} fault, "
        + "u32 vcpu, u32 largest_level, bool has_slot, bool user, u32 access, bool has_gva, "
        + "u64 gva, u64 gpa)",
      """
      uint32_t f(struct mmu_plugin_fault s, uint32_t vcpu, uint32_t level, bool slot, bool user,
                 uint32_t access, bool known, uint64_t gva, uint64_t gpa) {
        bool ok = vcpu == 3 && level == 2 && !slot && user && access == MMU_PLUGIN_FETCH && known
          && gva == 0xffff800000001000 && gpa == 0x123456789000;
        ok = ok && s.gpa == gpa && s.gva == gva && s.access == access && s.largest_level == level
          && s.vcpu == vcpu && s.flags == (MMU_PLUGIN_FAULT_USER | MMU_PLUGIN_FAULT_HAS_GVA);
        return ok ? MMU_PLUGIN_EMULATE : MMU_PLUGIN_DENY;
      }
      """)
    #expect(PluginPolicy(plugin).verdict(on: fault) == .emulate)
    let other = FaultInfo(
      gpa: fault.gpa, gva: nil, kind: .fetch, isUser: true, hasSlot: false,
      largestLevel: .directory, vcpu: 3)
    #expect(PluginPolicy(plugin).verdict(on: other) == .deny)
  }

  @Test(
    "verdicts, and those that are out of range",
    arguments: [
      ("0, 0, 0", FaultVerdict.proceed), ("1, 0, 0", .emulate),
      ("2, 14, 0x7", .inject(vector: 14, errorCode: 7)),
      ("2, 6, 0", .inject(vector: 6, errorCode: 0)), ("3, 0, 0", .deny), ("4, 0, 0", .exit),
      ("5, 0, 0", nil), ("0xffffffff, 0, 0", nil), ("2, 32, 0", nil), ("2, 2, 0", nil),
      ("2, 6, 1", nil), ("3, 1, 0", nil), ("0, 0, 4", nil),
    ] as [(String, FaultVerdict?)])
  func verdicts(answer: String, expected: FaultVerdict?) throws {
    let plugin = try plugin(
      "fault_policy", "{u32,u32,u32}()",
      "struct mmu_plugin_verdict f(void) { return (struct mmu_plugin_verdict){\(answer)}; }")
    let strict = PluginPolicy(plugin)
    let lenient = PluginPolicy(plugin, onRefusal: .useDefault)
    #expect(strict.verdict(on: fault) == expected ?? .exit)
    #expect(lenient.verdict(on: fault) == expected ?? .proceed)
    #expect(strict.refusalCount == (expected == nil ? 1 : 0))
    guard expected == nil else { return }
    let text = try #require(strict.firstRefusal).description
    #expect(text.contains("plugin 'policy', hook fault_policy: the answer {verdict"), "\(text)")
    #expect(lenient.firstRefusal == strict.firstRefusal)
  }

  @Test("after a refused answer a policy composed to stop stops every fault")
  func stops() throws {
    let plugin = try plugin("mapping_level", "u32()", "uint32_t f(void) { return 6; }")
    let strict = PluginPolicy(plugin)
    #expect(strict.verdict(on: fault) == .proceed)
    #expect(strict.mappingLevel(for: fault) == .directory)
    #expect(strict.verdict(on: fault) == .exit)
    #expect(strict.firstRefusal?.description.contains("a level is 1 to 5") == true)
    let lenient = PluginPolicy(plugin, onRefusal: .useDefault)
    #expect(lenient.mappingLevel(for: fault) == .directory)
    #expect(lenient.verdict(on: fault) == .proceed)
  }

  @Test("levels are lowered to what is allowed")
  func levels() throws {
    let large = try plugin("mapping_level", "u32()", "uint32_t f(void) { return 3; }")
    #expect(PluginPolicy(large).mappingLevel(for: fault) == .directory)
    let small = try plugin(
      "mapping_level", "u32()", "uint32_t f(void) { return 1; }", name: "small")
    #expect(PluginPolicy(small).mappingLevel(for: fault) == .pageTable)
    #expect(PluginPolicy(small).withheldPermissions(gfn: GFN(1)) == [])
    #expect(PluginPolicy(small).memoryType(gfn: GFN(1)) == nil)
  }

  @Test("permissions and memory types by frame")
  func leaves() throws {
    let access = PluginPolicy(
      try plugin("gfn_access", "u32(u64 gfn)", "uint32_t f(uint64_t gfn) { return gfn & 31; }"))
    #expect(access.withheldPermissions(gfn: GFN(6)) == [.write, .execute])
    #expect(access.withheldPermissions(gfn: GFN(15)) == .all)
    #expect(access.refusalCount == 0)
    #expect(access.withheldPermissions(gfn: GFN(16)) == .all)
    #expect(access.firstRefusal?.description.contains("bit 4") == true)
    let type = PluginPolicy(
      try plugin(
        "memory_type", "{u32 type; u32 ignore_pat;}(u64 gfn)",
        """
        struct mmu_plugin_memory_type f(uint64_t gfn) {
          return (struct mmu_plugin_memory_type){gfn == 9 ? MMU_PLUGIN_DEFAULT_TYPE : gfn, gfn & 1};
        }
        """, name: "type"))
    let combining = try #require(type.memoryType(gfn: GFN(1)))
    #expect(combining.type == .writeCombining && combining.ignoresPAT)
    #expect(type.memoryType(gfn: GFN(9)) == nil)
    #expect(type.refusalCount == 0)
    for gfn in [2, 3, 7, 256] as [UInt64] { #expect(type.memoryType(gfn: GFN(gfn)) == nil) }
    #expect(type.refusalCount == 4)
  }

  @Test("of stacked policies the strictest verdict counts (SPEC H4)")
  func stacking() throws {
    let deny = PluginPolicy(
      try plugin("fault_policy", "u32()", "uint32_t f(void) { return 3; }", name: "deny"))
    let emulate = PluginPolicy(
      try plugin("fault_policy", "u32()", "uint32_t f(void) { return 1; }", name: "emulate"))
    #expect(PolicyStack([emulate, deny]).verdict(on: fault) == .deny)
    #expect(PolicyStack([deny, emulate]).verdict(on: fault) == .deny)
    #expect(PolicyStack([emulate]).verdict(on: fault) == .emulate)
  }

  @Test("a device in C reads and writes its registers; a value wider than the access is refused")
  func device() throws {
    var source = PluginSource()
    source.code = """
      static uint64_t registers[4];
      uint64_t get(uint64_t offset, uint32_t size) {
        return offset == 24 ? registers[3] : registers[offset / 8] & (~0ull >> (64 - 8 * size));
      }
      void set(uint64_t value, uint64_t gpa, uint64_t offset) {
        registers[offset / 8] = value + (gpa == 0xfe000008);
      }
      """
    source.hooks = [
      ("mmio_read", "get", "u64(u64 offset, u32 size)"),
      ("mmio_write", "set", "void(u64 value, u64 gpa, u64 offset)"),
    ]
    let device = try PluginDevice(
      Plugin(path: workshop.build(source.text)), at: GPA(0xFE00_0000))
    try device.write(GPA(0xFE00_0000), size: 8, vcpu: 0, value: 0x1122_3344_5566_7788)
    try device.write(GPA(0xFE00_0008), size: 8, vcpu: 0, value: 0x10)
    try device.write(GPA(0xFE00_0018), size: 8, vcpu: 0, value: 0x100)
    #expect(try device.read(GPA(0xFE00_0000), size: 8, vcpu: 0) == 0x1122_3344_5566_7788)
    #expect(try device.read(GPA(0xFE00_0000), size: 2, vcpu: 0) == 0x7788)
    #expect(try device.read(GPA(0xFE00_0008), size: 4, vcpu: 0) == 0x11)
    let error = #expect(throws: PluginError.self) {
      try device.read(GPA(0xFE00_0018), size: 1, vcpu: 0)
    }
    #expect(error?.description.contains("bit 8") == true)
  }

  @Test("the hooks that answer with a number, and their ranges")
  func advice() throws {
    var source = PluginSource()
    source.code = """
      #include <string.h>
      static uint64_t told;
      uint32_t window(uint64_t gpa) { return gpa >> 12; }
      uint32_t zap(uint32_t n, const uint64_t *ages, const uint64_t *gfns, const uint32_t *levels) {
        uint32_t best = 0;
        for (uint32_t i = 1; i < n; i++) if (ages[i] > ages[best]) best = i;
        return gfns[best] == 0x99 && levels[best] == 2 ? n : best;
      }
      uint32_t flood(uint64_t gfn, uint32_t standard) { return gfn ? standard * 2 : 0; }
      uint32_t recover(uint32_t split) { return split > 100 ? split + 1 : split / 2; }
      void event(const char *name, uint64_t value) { if (!strcmp(name, "zap")) told += value; }
      uint64_t total(void) { return told; }
      """
    source.hooks = [
      ("prefetch_window", "window", "u32(u64 gpa)"),
      ("zap_policy", "zap", "u32(u32 candidate_count, ptr ages, ptr gfns, ptr levels)"),
      ("flood_threshold", "flood", "u32(u64 gfn, u32 default_threshold)"),
      ("nx_recovery", "recover", "u32(u32 split_count)"),
      ("on_event", "event", "void(cstr event, u64 value)"),
      ("mmio_spte_mask", "total", "u64()"),
    ]
    let plugin = try Plugin(path: workshop.build(source.text))
    func at(_ gpa: UInt64) -> FaultInfo {
      FaultInfo(
        gpa: GPA(gpa), gva: nil, kind: .read, isUser: false, hasSlot: true,
        largestLevel: .pageTable, vcpu: 0)
    }
    #expect(try plugin.prefetchWindow(for: at(0x200_000)) == 512)
    #expect(throws: PluginError.self) { try plugin.prefetchWindow(for: at(0x201_000)) }
    let candidates = [(0x10, 1, 5), (0x20, 1, 9), (0x30, 1, 7)].map {
      ZapCandidate(gfn: GFN($0.0), level: Level($0.1), age: $0.2)
    }
    #expect(try plugin.zapChoice(among: candidates) == 1)
    #expect(try plugin.zapChoice(among: []) == nil)
    #expect(throws: PluginError.self) {
      try plugin.zapChoice(among: [
        ZapCandidate(gfn: GFN(0x99), level: .directory, age: 1)
      ])
    }
    #expect(try plugin.floodThreshold(gfn: GFN(1), standard: 3) == 6)
    #expect(throws: PluginError.self) { try plugin.floodThreshold(gfn: GFN(0), standard: 3) }
    #expect(try plugin.nxRecovery(splitCount: 9, standard: 1) == 4)
    #expect(throws: PluginError.self) { try plugin.nxRecovery(splitCount: 101, standard: 1) }
    plugin.tell(event: "zap", vcpu: 0, value: 40)
    plugin.tell(event: "install", vcpu: 0, value: 1)
    plugin.tell(event: "zap", vcpu: 0, value: 2)
    #expect(try plugin.mmioMask(maxphyaddr: 46, encoder: "ept", standard: nil)?.value == 42)
    let none = try Plugin(path: workshop.build(PluginSource.good.text, name: "none"))
    #expect(try none.prefetchWindow(for: at(0)) == nil)
    #expect(try none.nxRecovery(splitCount: 9, standard: 1) == nil)
  }
}
