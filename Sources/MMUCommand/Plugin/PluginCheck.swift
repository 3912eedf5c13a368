import ArgumentParser
import Paging
import PluginHost
import Report
import X86EPT

/// `mmu plugin check`.
struct PluginCheck: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Loads a plugin, shows its manifest and tries each hook.",
    discussion: """
      A plugin is code: checking one runs it, as you.

      Examples:
        mmu plugin check build/plugins/mmio_window.so
      """)

  @Argument(help: "The shared object.")
  var file: String

  @Option(
    name: .customLong("set"), help: ArgumentHelp("A setting for it.", valueName: "key=value"))
  var settings: [String] = []

  @Flag(name: .customLong("isolate-plugins"), help: "Run it in a process of its own.")
  var isIsolated = false

  @Flag(help: "Print JSON Lines: the manifest, then one object a hook, then one a call.")
  var json = false

  func run() throws {
    do {
      let settings = try pairs()
      let plugin =
        isIsolated
        ? try Plugin(
          path: file, settings: settings, services: PluginDiagnostics(), isolation: .worker)
        : try Plugin(path: file, settings: settings, services: PluginDiagnostics())
      let report = try PluginReport(
        trying: plugin, masks: Self.masks, layouts: Self.layouts)
      var output = StandardOutput()
      for line in json ? jsonLines(plugin, report) : lines(plugin, report) {
        try output.write(line)
      }
      try output.flush()
    } catch let error as PluginError {
      throw FileFailure(plugin: file, error)
    }
  }

  /// The encoders that a mask is checked against.
  private static var masks: [PluginReport.MaskSample] {
    [36, 40, 46, 52].map { width in
      PluginReport.MaskSample(encoder: "ept", maxphyaddr: width, standard: .ept) {
        mask throws(LayoutError) in
        _ = try EPTEncoder(EPTCapabilities(physicalAddressWidth: width), mmio: mask)
      }
    }
  }

  /// The encoders whose layout a plugin may change.
  private static var layouts: [PluginReport.LayoutSample] {
    get throws {
      var samples: [PluginReport.LayoutSample] = []
      for name in EncoderName.allCases {
        guard let encoder = try name.encoder(.standard, width: 46) as? any AdjustableEncoder else {
          continue
        }
        samples.append(PluginReport.LayoutSample(encoder))
      }
      return samples
    }
  }

  private func pairs() throws -> [String: String] {
    var result: [String: String] = [:]
    for setting in settings {
      guard let equals = setting.firstIndex(of: "="), equals != setting.startIndex else {
        throw ValidationError("'\(setting)' is not a setting (key=value)")
      }
      result[String(setting[..<equals])] = String(setting[setting.index(after: equals)...])
    }
    return result
  }

  private func lines(_ plugin: Plugin, _ report: PluginReport) -> [String] {
    var result = [
      "\(plugin.name) \(plugin.version)"
        + (plugin.isThreadSafe ? ", thread-safe" : ", called under a lock")
    ]
    for one in plugin.bindings {
      result.append("\(one.hook): \(one.symbol): \(one.signature)")
      for trial in report.trials where trial.hook == one.hook {
        result.append("  \(trial.question): \(trial.answer)")
      }
      if report.untried.contains(one.hook) { result.append("  not tried") }
    }
    return result
  }

  private func jsonLines(_ plugin: Plugin, _ report: PluginReport) -> [String] {
    var manifest = JSONLine()
    manifest.add("plugin", plugin.name)
    manifest.add("version", plugin.version)
    manifest.add("threadSafe", plugin.isThreadSafe)
    let hooks = plugin.bindings.map { one in
      var line = JSONLine()
      line.add("hook", one.hook)
      line.add("symbol", one.symbol)
      line.add("signature", one.signature)
      line.add("tried", !report.untried.contains(one.hook))
      return line
    }
    let trials = report.trials.map { trial in
      var line = JSONLine()
      line.add("hook", trial.hook)
      line.add("asked", trial.question)
      line.add("answered", trial.answer)
      return line
    }
    return ([manifest] + hooks + trials).map(\.line)
  }
}
