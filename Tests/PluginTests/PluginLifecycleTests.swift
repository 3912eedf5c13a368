import Foundation
import Paging
import PluginHost
import Synchronization
import Testing

/// Services that note everything, over a little guest memory.
final class NotedServices: PluginServices {
  struct Notes {
    var log: [String] = []
    var counts: [String: UInt64] = [:]
    var memory = [UInt8](repeating: 0, count: 64)
  }
  let notes = Mutex(Notes())

  var log: [String] { notes.withLock { $0.log } }
  var counts: [String: UInt64] { notes.withLock { $0.counts } }
  var memory: [UInt8] { notes.withLock { $0.memory } }

  func log(_ message: String, severity: PluginSeverity, from plugin: String) {
    notes.withLock { $0.log.append("\(plugin) \(severity): \(message)") }
  }

  func count(_ counter: String, by amount: UInt64, from plugin: String) {
    notes.withLock { $0.counts[counter, default: 0] += amount }
  }

  func read(_ gpa: GPA, into bytes: inout MutableRawSpan) -> Bool {
    guard gpa.rawValue <= 64, bytes.byteCount <= 64 - Int(gpa.rawValue) else { return false }
    for index in 0..<bytes.byteCount {
      let byte = notes.withLock { $0.memory[Int(gpa.rawValue) + index] }
      bytes.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
    }
    return true
  }

  func write(_ bytes: borrowing RawSpan, to gpa: GPA) -> Bool {
    guard gpa.rawValue <= 64, bytes.byteCount <= 64 - Int(gpa.rawValue) else { return false }
    for index in 0..<bytes.byteCount {
      let byte = unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)
      notes.withLock { $0.memory[Int(gpa.rawValue) + index] = byte }
    }
    return true
  }

  func translate(_ gva: GVA, vcpu: Int, for access: AccessKind, isUser: Bool) -> GPA? {
    gva.rawValue >= 0x1000
      ? GPA(gva.rawValue &+ UInt64(vcpu) &+ UInt64(access.rawValue) * 16 &+ (isUser ? 256 : 0))
      : nil
  }
}

@Suite("Init, fini, services and locks (SPEC H5, H6)")
struct PluginLifecycleTests {
  let workshop: Workshop
  let services = NotedServices()

  init() throws { workshop = try Workshop() }

  private var logging: PluginSource {
    var source = PluginSource.good
    source.code = """
      #include <stdlib.h>
      #include <string.h>
      static const struct mmu_plugin_host *host;
      static int32_t start(const struct mmu_plugin_host *h, void **context) {
        host = h;
        const char *setting = h->setting(h->host, "greeting");
        h->log(h->host, MMU_PLUGIN_INFO, setting ? setting : "no greeting");
        if (h->setting(h->host, "decline")) return 5;
        *context = malloc(1);
        return MMU_PLUGIN_OK;
      }
      static void stop(void *context) {
        host->log(host->host, MMU_PLUGIN_WARNING, context ? "stopped" : "no context");
        free(context);
      }
      uint32_t policy(void *context) { host->count(host->host, "asked", 2); return !context; }
      """
    source.initialize = "start"
    source.fini = "stop"
    source.hooks = [("fault_policy", "policy", "u32(ptr context)")]
    return source
  }

  private var fault: FaultInfo {
    FaultInfo(
      gpa: GPA(0x1000), gva: nil, kind: .read, isUser: false, hasSlot: true,
      largestLevel: .pageTable, vcpu: 0)
  }

  @Test("init gets settings and services, hooks the context, fini runs once at the end")
  func lifecycle() throws {
    let path = try workshop.build(logging.text)
    do {
      let plugin = try Plugin(path: path, settings: ["greeting": "hello"], services: services)
      let first = PluginPolicy(plugin)
      let second = PluginPolicy(plugin)
      #expect(first.verdict(on: fault) == .proceed)
      #expect(second.verdict(on: fault) == .proceed)
      #expect(services.log == ["test info: hello"])
    }
    #expect(services.log == ["test info: hello", "test warning: stopped"])
    #expect(services.counts == ["asked": 4])
  }

  @Test("fini runs once also where the host gives up after init")
  func finiAfterError() throws {
    let path = try workshop.build(logging.text)
    #expect(throws: PluginError.self) {
      let plugin = try Plugin(path: path, services: services)
      _ = try PluginDevice(plugin, at: GPA(0))
    }
    #expect(services.log == ["test info: no greeting", "test warning: stopped"])
  }

  @Test("a plugin may decline, and is not asked again, not even fini")
  func declines() throws {
    let path = try workshop.build(logging.text)
    #expect(throws: PluginError.declined(plugin: "test", status: 5)) {
      try Plugin(path: path, settings: ["decline": ""], services: services)
    }
    #expect(services.log == ["test info: no greeting"])
  }

  @Test("nothing of a plugin runs where a binding is wrong")
  func noInitBeforeChecks() throws {
    var source = logging
    source.hooks.append(("gfn_access", "missing", "u32()"))
    let path = try workshop.build(source.text)
    #expect(throws: PluginError.self) { try Plugin(path: path, services: services) }
    #expect(services.log.isEmpty)
  }

  @Test("guest memory and translation through the services; nonsense fails and does no harm")
  func memory() throws {
    var source = logging
    source.code += """

      struct mmu_plugin_mmio_mask mask(void) {
        uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8}, back[8] = {0};
        struct mmu_plugin_mmio_mask r = {0, 0, 0};
        uint64_t gpa = 77;
        void *h = host->host;
        r.value |= (uint64_t)(host->write_guest(h, 16, bytes, 8) == 0);
        r.value |= (uint64_t)(host->read_guest(h, 18, back, 4) == 0) << 1;
        r.value |= (uint64_t)(memcmp(back, bytes + 2, 4) == 0) << 2;
        r.value |= (uint64_t)(host->read_guest(h, 60, back, 8) == MMU_PLUGIN_FAILED) << 3;
        r.value |= (uint64_t)(host->read_guest(h, 0, 0, 8) == MMU_PLUGIN_FAILED) << 4;
        r.value |= (uint64_t)(host->write_guest(h, 0, bytes, ~0ull) == MMU_PLUGIN_FAILED) << 5;
        r.value |= (uint64_t)(host->read_guest(h, ~0ull, back, 8) == MMU_PLUGIN_FAILED) << 6;
        r.value |= (uint64_t)(host->translate(h, 0, 8, 0, 0, &gpa) == MMU_PLUGIN_FAILED) << 7;
        r.value |= (uint64_t)(host->translate(h, 0, 0x1000, 3, 0, &gpa) == MMU_PLUGIN_FAILED) << 8;
        r.value |= (uint64_t)(host->translate(h, 0, 0x1000, 0, 0, 0) == MMU_PLUGIN_FAILED) << 9;
        r.value |= (uint64_t)(gpa == 77) << 10;
        r.value |= (uint64_t)(host->translate(h, 3, 0x1000, MMU_PLUGIN_FETCH, 1, &gpa) == 0) << 11;
        r.mask = gpa;
        r.access = host->setting(h, "none") == 0 && host->setting(h, 0) == 0;
        host->log(h, 99, "two\\nlines");
        host->log(h, 0, 0);
        host->count(h, 0, 1);
        return r;
      }
      """
    source.hooks = [("mmio_spte_mask", "mask", "{u64,u64,u64}()")]
    let plugin = try Plugin(path: workshop.build(source.text), services: services)
    let answer = try plugin.mmioMask(maxphyaddr: 46, encoder: "ept", standard: nil)
    #expect(answer == MMIOMask(value: 0xFFF, mask: 0x1000 + 3 + 32 + 256, accessMask: 1))
    #expect(Array(services.memory[16..<24]) == [1, 2, 3, 4, 5, 6, 7, 8])
    #expect(services.log.last == "test error: two?lines")
  }

  /// Counts how many threads are inside at the same time.
  private func overlapping(flags: String) throws -> (calls: UInt64, most: UInt64) {
    var source = PluginSource()
    source.flags = flags
    source.code = """
      #include <stdatomic.h>
      #include <threads.h>
      static atomic_int inside, most, calls;
      uint32_t policy(void) {
        int now = atomic_fetch_add(&inside, 1) + 1;
        for (int seen = most; now > seen && !atomic_compare_exchange_weak(&most, &seen, now);) {}
        struct timespec pause = {0, 200000};
        thrd_sleep(&pause, 0);
        atomic_fetch_add(&calls, 1);
        atomic_fetch_sub(&inside, 1);
        return 0;
      }
      struct mmu_plugin_mmio_mask result(void) {
        return (struct mmu_plugin_mmio_mask){(uint64_t)calls, (uint64_t)most, 0};
      }
      """
    source.hooks = [
      ("fault_policy", "policy", "u32()"), ("mmio_spte_mask", "result", "{u64,u64,u64}()"),
    ]
    let path = try workshop.build(source.text)
    // Loaded twice: one shared object, so one lock.
    let plugins = [try Plugin(path: path), try Plugin(path: path)]
    let policies = plugins.map { PluginPolicy($0) }
    let fault = fault
    let finished = DispatchGroup()
    for thread in 0..<4 {
      let policy = policies[thread % 2]
      finished.enter()
      Thread.detachNewThread {
        for _ in 0..<50 { _ = policy.verdict(on: fault) }
        finished.leave()
      }
    }
    finished.wait()
    let answer = try plugins[0].mmioMask(maxphyaddr: 46, encoder: "ept", standard: nil)
    return (answer?.value ?? 0, answer?.mask ?? 0)
  }

  @Test("a plugin that is not thread-safe is never inside twice, also where it is loaded twice")
  func locks() throws {
    let locked = try overlapping(flags: "0")
    #expect(locked.calls == 200)
    #expect(locked.most == 1)
  }

  @Test("a thread-safe plugin is called by several threads at once")
  func threadSafe() throws {
    let free = try overlapping(flags: "MMU_PLUGIN_THREAD_SAFE")
    #expect(free.calls == 200)
    #expect(free.most > 1)
  }
}
