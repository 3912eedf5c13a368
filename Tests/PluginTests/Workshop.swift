import Foundation

/// A temporary folder in which C is compiled to shared objects; gone with the last reference.
final class Workshop: Sendable {
  let folder: URL

  init() throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent(
      "plugin-tests-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  struct CompilerFailure: Error {
    let status: Int32
  }

  /// The package's root.
  static var root: URL {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
  }

  /// Compiles C that may include `mmu_plugin.h`; returns the path.
  func build(_ source: String, name: String = "plugin") throws -> String {
    let file = folder.appendingPathComponent(name + ".c")
    try Data(source.utf8).write(to: file)
    return try build(file, name: name)
  }

  /// Compiles a file of C.
  func build(_ file: URL, name: String) throws -> String {
    let object = path(name + ".so")
    let compiler = Process()
    compiler.executableURL = URL(filePath: "/usr/bin/env")
    compiler.arguments = [
      "cc", "-std=c11", "-O1", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror",
      "-I", Self.root.appendingPathComponent("Plugins/include").path, "-o", object, file.path,
    ]
    try compiler.run()
    compiler.waitUntilExit()
    guard compiler.terminationStatus == 0 else {
      throw CompilerFailure(status: compiler.terminationStatus)
    }
    return object
  }

  /// A path in the folder.
  func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

  /// Writes bytes to a file in the folder; returns the path.
  func write(_ bytes: [UInt8], to name: String) throws -> String {
    try Data(bytes).write(to: URL(filePath: path(name)))
    return path(name)
  }
}

/// C for a plugin with one or more hooks; the pieces that a test does not give are good ones.
struct PluginSource {
  var magic = "MMU_PLUGIN_MAGIC"
  var abi = "MMU_PLUGIN_ABI_VERSION"
  var size = "sizeof(struct mmu_plugin)"
  var name = "\"test\""
  var flags = "MMU_PLUGIN_THREAD_SAFE"
  var initialize = "0"
  var fini = "0"
  var hooks: [(hook: String, symbol: String, signature: String)] = []
  var hookSize = "sizeof(struct mmu_plugin_hook)"
  var hookCount: String?
  var code = ""

  var text: String {
    """
    #include <stdbool.h>
    #include "mmu_plugin.h"
    \(code)
    static const struct mmu_plugin_hook hooks[] = {
    \(hooks.map { "{\"\($0.hook)\", \"\($0.symbol)\", \"\($0.signature)\"}," }.joined())
    };
    const struct mmu_plugin mmu_plugin_manifest = {
      .magic = \(magic), .abi_version = \(abi), .struct_size = \(size), .name = \(name),
      .version = "1.2", .flags = \(flags), .init = \(initialize), .fini = \(fini), .hooks = hooks,
      .hook_count = \(hookCount ?? "\(hooks.count)"), .hook_size = \(hookSize),
    };
    """
  }

  /// A good plugin: one hook that proceeds.
  static var good: PluginSource {
    var source = PluginSource()
    source.code = "uint32_t policy(void) { return MMU_PLUGIN_PROCEED; }"
    source.hooks = [("fault_policy", "policy", "u32()")]
    return source
  }
}
