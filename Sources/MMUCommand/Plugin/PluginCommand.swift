import ArgumentParser
import PluginHost

/// `mmu plugin`.
struct PluginCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plugin", abstract: "Checks plugins and lists what they can hook.",
    discussion: """
      Examples:
        mmu plugin check build/plugins/mmio_window.so
        mmu plugin list-hooks
      """,
    subcommands: [PluginCheck.self, PluginListHooks.self])
}

extension FileFailure {
  /// A plugin that is refused; the error names the file itself where it can.
  init(plugin path: String, _ error: PluginError) {
    let text = error.description
    description = text.hasPrefix(path) ? "mmu: \(text)" : "mmu: \(path): \(text)"
  }

  /// A plugin that is refused, of several: the error names the file or the plugin.
  init(plugin error: PluginError) { description = "mmu: \(error.description)" }
}
