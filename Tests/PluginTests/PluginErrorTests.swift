import Foundation
import PluginHost
import Testing

@Suite("Plugins that are refused before they run (SPEC H2)")
struct PluginErrorTests {
  let workshop: Workshop

  init() throws { workshop = try Workshop() }

  /// Loads a plugin that must be refused; its error in one line.
  private func refusal(of source: PluginSource, hooks: [String]? = nil) throws -> PluginError {
    let path = try workshop.build(source.text)
    let error = #expect(throws: PluginError.self) { try Plugin(path: path, hooks: hooks) }
    let found = try #require(error)
    #expect(!found.description.contains("\n"))
    #expect(found.description.hasPrefix(path))
    return found
  }

  @Test("a good plugin loads, and says what it is")
  func good() throws {
    let plugin = try Plugin(path: workshop.build(PluginSource.good.text))
    #expect(plugin.name == "test")
    #expect(plugin.version == "1.2")
    #expect(plugin.isThreadSafe)
    #expect(plugin.bindings.map(\.signature) == ["u32()"])
  }

  @Test("a missing file, a folder, a FIFO, a text")
  func notObjects() throws {
    for path in [workshop.path("none.so"), workshop.folder.path] {
      let error = #expect(throws: PluginError.self) { try Plugin(path: path) }
      guard case .unreadable = error else {
        Issue.record("\(String(describing: error))")
        return
      }
    }
    let fifo = workshop.path("fifo.so")
    #expect(unsafe mkfifo(fifo, 0o600) == 0)
    #expect(throws: PluginError.unreadable(path: fifo, reason: "not a regular file")) {
      try Plugin(path: fifo)
    }
    let text = try workshop.write(Array(repeating: 0x41, count: 5000), to: "text.so")
    #expect(throws: PluginError.notSharedObject(path: text, reason: "not an ELF file")) {
      try Plugin(path: text)
    }
  }

  @Test("no manifest; something else of its name")
  func noManifest() throws {
    let none = try workshop.build("int x;", name: "none")
    #expect(
      throws: PluginError.symbol(
        path: none, symbol: "mmu_plugin_manifest", reason: "is not exported")
    ) { try Plugin(path: none) }
    let function = try workshop.build(
      #"void mmu_plugin_manifest(void) { __asm__(".skip 64, 0x90"); }"#, name: "function")
    let error = #expect(throws: PluginError.self) { try Plugin(path: function) }
    guard case .wrongMagic = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test("the wrong magic, ABI version, sizes")
  func header() throws {
    var source = PluginSource.good
    source.magic = "0x1234"
    guard case .wrongMagic(_, 0x1234) = try refusal(of: source) else {
      Issue.record("magic")
      return
    }
    source = .good
    source.abi = "7"
    let versions = try refusal(of: source)
    guard case .wrongABI(_, 7, 1) = versions else {
      Issue.record("\(versions)")
      return
    }
    #expect(versions.description.contains("version 7"))
    #expect(versions.description.contains("version 1"))
    source = .good
    source.size = "40"
    guard case .tooSmall(_, "the manifest", 40, _) = try refusal(of: source) else {
      Issue.record("size")
      return
    }
    source = .good
    source.hookSize = "16"
    guard case .tooSmall(_, "a hook entry", 16, 24) = try refusal(of: source) else {
      Issue.record("hook size")
      return
    }
  }

  @Test(
    "a manifest that breaks a rule",
    arguments: [
      ("name", "(const char *)0x10", "the name is not a string"),
      ("name", "0", "the name is not a string"),
      ("name", "\"a b\"", "letters"),
      ("name", "\"\"", "letters"),
      ("flags", "0x82", "flags 0x82"),
      ("init", "(int32_t (*)(const struct mmu_plugin_host *, void **))16", "init is not"),
      ("fini", "(void (*)(void *))hooks", "fini is not"),
      ("count", "0", "0 hooks"),
      ("count", "65", "65 hooks"),
      ("hookSize", "0xffffff00", "outside the shared object"),
      ("size", "0xfffffff0", "one segment"),
    ])
  func manifest(member: String, value: String, rule: String) throws {
    var source = PluginSource.good
    switch member {
    case "name": source.name = value
    case "flags": source.flags = value
    case "init": source.initialize = value
    case "fini": source.fini = value
    case "count": source.hookCount = value
    case "hookSize": source.hookSize = value
    default: source.size = value
    }
    let error = try refusal(of: source)
    guard case .manifest = error else {
      Issue.record("\(error)")
      return
    }
    #expect(error.description.contains(rule), "\(error)")
  }

  @Test(
    "a binding that does not fit its hook is an error that names both",
    arguments: [
      ("fault_polity", "policy", "u32()", ["hook 'fault_polity'", "fault_policy"]),
      ("fault_policy", "polity", "u32()", ["symbol 'polity'", "not exported"]),
      ("fault_policy", "datum", "u32()", ["symbol 'datum'", "not a function"]),
      ("fault_policy", "malloc", "u32()", ["symbol 'malloc'", "not a function of this"]),
      ("fault_policy", "policy", "u32(", ["fault_policy", "character 5"]),
      ("fault_policy", "policy", "u32(u64 gfn)", ["'gfn'", "gpa", "largest_level"]),
      ("fault_policy", "policy", "u32(u32 gpa)", ["'gpa'", "u64", "u32"]),
      ("fault_policy", "policy", "u64()", ["u64", "{u32 verdict; u32 vector; u32 error;} or u32"]),
      (
        "mmio_spte_mask", "policy", "{u64 mask; u64 value; u64 access;}()",
        ["{u64 mask; u64 value; u64 access;}", "{u64 value; u64 mask; u64 access;}"]
      ),
      ("mmio_spte_mask", "policy", "{u64,u64}()", ["{u64,u64}"]),
      ("on_event", "policy", "u32()", ["void", "u32"]),
    ])
  func bindings(hook: String, symbol: String, signature: String, says: [String]) throws {
    var source = PluginSource.good
    source.code += """

      #include <stdlib.h>
      int datum = 3;
      void *use(void) { return malloc(1); }
      """
    source.hooks = [(hook, symbol, signature)]
    let error = try refusal(of: source)
    for part in says {
      #expect(error.description.contains(part), "\(error)")
    }
    // The same from a user's binding.
    let path = workshop.path("plugin.so")
    let bound = #expect(throws: PluginError.self) {
      try Plugin.bind(path: path, hook: hook, symbol: symbol, signature: signature)
    }
    #expect(bound == error)
  }

  @Test("a hook that is chosen but not served, or listed twice")
  func choice() throws {
    let error = try refusal(of: .good, hooks: ["gfn_access"])
    #expect(error.description.contains("'gfn_access' is not served by plugin 'test'"))
    var source = PluginSource.good
    source.hooks += source.hooks
    #expect(try refusal(of: source).description.contains("fault_policy is listed twice"))
  }

  @Test("a shared object that needs a symbol nobody has")
  func unresolved() throws {
    let path = try workshop.build("void nobody_has_this(void); void f(void) { nobody_has_this(); }")
    let error = #expect(throws: PluginError.self) { try Plugin(path: path) }
    guard case .notLoadable(_, let reason) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(reason.contains("nobody_has_this"))
  }

  @Test("a larger manifest of a later minor version is accepted, its tail ignored")
  func larger() throws {
    let source =
      PluginSource.good.text
      .replacingOccurrences(
        of: "const struct mmu_plugin mmu_plugin_manifest = {",
        with: "const struct { struct mmu_plugin m; void *later; } later = {{"
      )
      .replacingOccurrences(of: "sizeof(struct mmu_plugin),", with: "sizeof later,")
      .replacingOccurrences(
        of: "struct mmu_plugin_hook),\n};", with: "struct mmu_plugin_hook)}, 0};")
        + """

        __asm__(".globl mmu_plugin_manifest\\n.set mmu_plugin_manifest, later\\n"
                ".type mmu_plugin_manifest, @object\\n");
        """
    #expect(try Plugin(path: workshop.build(source)).name == "test")
  }
}
