import ArgumentParser
import PluginHost

/// `mmu plugin`.
struct PluginCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plugin", abstract: "Begins and checks plugins, and lists what they can hook.",
    discussion: """
      Examples:
        mmu plugin new heat
        mmu plugin check build/plugins/mmio_window.so
        mmu plugin list-hooks
      """,
    subcommands: [PluginCheck.self, PluginListHooks.self, PluginNew.self])
}

extension PluginIsolation {
  /// The first argument with which this program runs one plugin for another of itself.
  static var workerCommand: String { "plugin-worker" }
  /// Plugins run by this program, in a process each.
  static var worker: PluginIsolation { PluginIsolation(arguments: [workerCommand]) }
}

extension FileFailure {
  /// A plugin that is refused; the error names the file itself where it can.
  init(plugin path: String, _ error: PluginError) {
    let text = error.description
    message = text
    description = text.hasPrefix(path) ? "mmu: \(text)" : "mmu: \(path): \(text)"
  }

  /// A plugin that is refused, of several: the error names the file or the plugin.
  init(plugin error: PluginError) {
    message = error.description
    description = "mmu: \(message)"
  }
}
