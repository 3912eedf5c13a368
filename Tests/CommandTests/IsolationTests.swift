import Foundation
import Paging
import PluginHost
import Synchronization
import TestSupport
import Testing

@Suite("Plugins that run apart")
struct IsolationTests {
  /// A plugin that does wrong where the setting `when` says.
  private static let source = """
    #include <stdlib.h>
    #include <string.h>
    #include <unistd.h>
    #include "mmu_plugin.h"
    static const struct mmu_plugin_host *host;
    static int is(const char *what) {
      const char *when = host->setting(host->host, "when");
      return when && !strcmp(when, what);
    }
    static int32_t start(const struct mmu_plugin_host *h, void **context) {
      host = h;
      *context = 0;
      if (is("init")) abort();
      return is("decline") ? 5 : 0;
    }
    static void stop(void *context) {
      (void)context;
      if (is("fini")) _exit(7);
      host->log(host->host, MMU_PLUGIN_INFO, "fini");
    }
    MMU_PLUGIN_EXPORT uint32_t policy(uint64_t gpa) {
      static char bytes[3000];
      uint64_t to = 0;
      if (is("hook")) *(volatile int *)8 = 1;
      if (is("hang")) for (;;) pause();
      if (is("exit")) exit(3);
      host->count(host->host, "asked", 1);
      if (host->read_guest(host->host, gpa, bytes, sizeof bytes)) return MMU_PLUGIN_DENY;
      bytes[2999]++;
      if (host->write_guest(host->host, gpa, bytes, sizeof bytes)) return MMU_PLUGIN_EMULATE;
      if (host->translate(host->host, 2, gpa, MMU_PLUGIN_WRITE, 1, &to)) return MMU_PLUGIN_EXIT;
      return to == gpa + 2 + 16 + 256 ? MMU_PLUGIN_PROCEED : MMU_PLUGIN_EXIT;
    }
    MMU_PLUGIN_EXPORT uint32_t zap(
        uint32_t candidate_count, const uint64_t *gfns, const uint32_t *levels,
        const uint64_t *ages) {
      uint32_t oldest = 0;
      for (uint32_t i = 0; i < candidate_count; i++)
        if (ages[i] > ages[oldest] && gfns[i] % 2 == 0 && levels[i] == 1) oldest = i;
      return oldest;
    }
    MMU_PLUGIN_EXPORT void event(const char *event, uint64_t value) {
      if (!strcmp(event, "boom")) abort();
      host->count(host->host, event, value);
    }
    static const struct mmu_plugin_hook hooks[] = {
      {"fault_policy", "policy", "u32(u64 gpa)"},
      {"zap_policy", "zap", "u32(u32 candidate_count, ptr gfns, ptr levels, ptr ages)"},
      {"on_event", "event", "void(cstr event, u64 value)"},
    };
    const struct mmu_plugin mmu_plugin_manifest = {
      MMU_PLUGIN_HEADER, .name = "wild", .version = "1.0", .init = start, .fini = stop,
      .hooks = hooks, .hook_count = 3, .hook_size = sizeof hooks[0],
    };
    """

  private final class Services: PluginServices {
    struct Notes {
      var log: [String] = []
      var counts: [String: UInt64] = [:]
      var memory = [UInt8](repeating: 7, count: 8192)
    }
    let notes = Mutex(Notes())

    func log(_ message: String, severity: PluginSeverity, from plugin: String) {
      notes.withLock { $0.log.append("\(plugin) \(severity): \(message)") }
    }
    func count(_ counter: String, by amount: UInt64, from plugin: String) {
      notes.withLock { $0.counts[counter, default: 0] += amount }
    }
    func read(_ gpa: GPA, into bytes: inout MutableRawSpan) -> Bool {
      guard gpa.rawValue <= 8192, bytes.byteCount <= 8192 - Int(gpa.rawValue) else {
        return false
      }
      for index in 0..<bytes.byteCount {
        let byte = notes.withLock { $0.memory[Int(gpa.rawValue) + index] }
        bytes.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
      }
      return true
    }
    func write(_ bytes: borrowing RawSpan, to gpa: GPA) -> Bool {
      guard gpa.rawValue <= 8192, bytes.byteCount <= 8192 - Int(gpa.rawValue) else {
        return false
      }
      for index in 0..<bytes.byteCount {
        let byte = unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)
        notes.withLock { $0.memory[Int(gpa.rawValue) + index] = byte }
      }
      return true
    }
    func translate(_ gva: GVA, vcpu: Int, for access: AccessKind, isUser: Bool) -> GPA? {
      GPA(gva.rawValue + UInt64(vcpu) + UInt64(access.rawValue) * 16 + (isUser ? 256 : 0))
    }
  }

  private let place: TemporaryFile
  private let object: String
  private let services = Services()

  init() throws {
    place = try TemporaryFile("wild.c", Self.source)
    object = place.path + ".so"
    let compiler = Process()
    compiler.executableURL = URL(filePath: "/usr/bin/env")
    compiler.arguments = [
      "cc", "-std=c11", "-D_DEFAULT_SOURCE", "-fPIC", "-shared", "-Wall", "-Werror",
      "-I\(SharedFiles.packageRoot)/Plugins/include", "-o", object, place.path,
    ]
    try compiler.run()
    compiler.waitUntilExit()
    try #require(compiler.terminationStatus == 0)
  }

  private func load(_ when: String = "", timeout: Int32 = 10_000) throws -> Plugin {
    try Plugin(
      path: object, settings: ["when": when], services: services,
      isolation: PluginIsolation(
        executable: Command.program.path, arguments: ["plugin-worker"], timeout: timeout))
  }

  private let fault = FaultInfo(
    gpa: GPA(0x400), gva: nil, kind: .write, isUser: false, hasSlot: true,
    largestLevel: .pageTable, vcpu: 0)

  @Test("hooks answer, services serve, fini runs once")
  func works() throws {
    do {
      let plugin = try load()
      #expect(plugin.name == "wild" && plugin.version == "1.0" && !plugin.isThreadSafe)
      #expect(plugin.bindings.map(\.hook) == ["fault_policy", "zap_policy", "on_event"])
      let policy = PluginPolicy(plugin)
      #expect(policy.verdict(on: fault) == .proceed)
      let outside = FaultInfo(
        gpa: GPA(8000), gva: nil, kind: .write, isUser: false, hasSlot: true,
        largestLevel: .pageTable, vcpu: 0)
      #expect(policy.verdict(on: outside) == .deny)
      #expect(policy.firstRefusal == nil)
      let candidates = (0..<100).map {
        ZapCandidate(gfn: GFN(UInt64($0)), level: .pageTable, age: UInt64($0))
      }
      #expect(try plugin.zapChoice(among: candidates) == 30, "the oldest even one of the first 32")
      plugin.tell(event: "leaf-installed", vcpu: 0, value: 12)
    }
    services.notes.withLock { notes in
      #expect(notes.log == ["wild info: fini"])
      #expect(notes.counts == ["asked": 2, "leaf-installed": 12])
      #expect(notes.memory[0x400 + 2999] == 8)
      #expect(notes.memory.count { $0 == 7 } == 8191)
    }
  }

  @Test(
    "a crash names plugin, hook and what happened; every later call says the same",
    arguments: [
      ("hook", "plugin 'wild', hook fault_policy: was ended by SIGSEGV"),
      ("exit", "plugin 'wild', hook fault_policy: ended the process with status 3"),
    ])
  func crashes(when: String, says: String) throws {
    let plugin = try load(when)
    let policy = PluginPolicy(plugin)
    #expect(policy.verdict(on: fault) == .exit)
    #expect(policy.verdict(on: fault) == .exit)
    #expect(policy.firstRefusal?.description == says)
    #expect(plugin.failure?.description == says)
    let lenient = PluginPolicy(plugin, onRefusal: .useDefault)
    #expect(lenient.verdict(on: fault) == .proceed)
    #expect(throws: PluginError.self) {
      try plugin.zapChoice(among: [.init(gfn: GFN(1), level: .pageTable, age: 1)])
    }
  }

  @Test("a hook that gives no answer in time is ended")
  func hangs() throws {
    let policy = PluginPolicy(try load("hang", timeout: 200))
    #expect(policy.verdict(on: fault) == .exit)
    #expect(
      policy.firstRefusal?.description
        == "plugin 'wild', hook fault_policy: gave no answer in 200 ms")
  }

  @Test("a crash on an event, in init and in fini is told too")
  func crashesElsewhere() throws {
    do {
      let plugin = try load()
      plugin.tell(event: "boom", vcpu: 0)
      #expect(
        plugin.failure?.description == "plugin 'wild', hook on_event: was ended by SIGABRT")
    }
    #expect {
      try load("init")
    } throws: {
      "\($0)".hasSuffix("hook init: was ended by SIGABRT")
    }
    #expect {
      try load("decline")
    } throws: {
      "\($0)" == "plugin 'wild' declined (init returned 5)"
    }
    do { _ = try load("fini") }
    #expect(
      services.notes.withLock { $0.log }
        == ["wild error: plugin 'wild', hook fini: ended the process with status 7"])
  }

  @Test("what would not load here does not load apart, with the same words")
  func refusals() throws {
    let missing = object + ".none"
    var words: [String] = []
    for isolation in [
      nil,
      PluginIsolation(
        executable: Command.program.path, arguments: ["plugin-worker"]),
    ] {
      do {
        _ = try isolation.map { try Plugin(path: missing, isolation: $0) } ?? Plugin(path: missing)
        Issue.record("loaded")
      } catch {
        words.append("\(error)")
      }
    }
    #expect(words.count == 2 && words[0] == words[1])
    #expect {
      try Plugin(path: object, isolation: PluginIsolation(executable: missing, arguments: []))
    } throws: {
      "\($0)".contains("cannot be run apart: No such file")
    }
  }

  @Test("a program that is no worker is told from one")
  func noWorker() throws {
    #expect {
      try Plugin(
        path: object, isolation: PluginIsolation(executable: "/bin/true", arguments: []))
    } throws: {
      "\($0)".contains("hook init: ended the process with status 0")
    }
  }

  @Test("mmu run ends with status 2 and one line; without isolation the same plugin works alike")
  func command() throws {
    let root = SharedFiles.packageRoot
    try #require(try BuiltPlugins.make([]).status == 0)
    let arguments = ["run", root + "/Examples/plugin-mask.yaml"]
    let apart = try Command(arguments + ["--isolate-plugins"])
    let here = try Command(arguments)
    #expect(apart.status == 0 && apart.output == here.output)

    let scenario = try TemporaryFile(
      "crash.yaml",
      """
      scenario: 1
      machine: {guest: none, mmu: ept, memory: [{gpa: 0x0, size: 2 MiB}]}
      plugins: [{path: \(object), settings: {when: hook}}]
      steps: [{read: {va: 0x1000}}]
      """)
    let crashed = try Command(["run", scenario.path, "--isolate-plugins"])
    #expect(crashed.status == 2)
    #expect(crashed.error == "mmu: plugin 'wild', hook fault_policy: was ended by SIGSEGV\n")
  }
}
