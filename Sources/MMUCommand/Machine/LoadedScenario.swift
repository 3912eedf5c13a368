import PluginHost
import Scenario
import SystemPackage

/// A scenario file read, its plugins loaded and its machine composed.
struct LoadedScenario {
  let runner: ScenarioRunner
  let plugins: MachinePlugins

  /// Reads a scenario.
  ///
  /// - Parameters:
  ///   - mmu: in place of the file's.
  ///   - findsStaleTranslations: whether they are looked for, also where the file does not ask for it.
  /// - Throws: `FileFailure`: the file, a file that it names, or a plugin is bad.
  init(
    _ path: String, morePlugins: [String] = [], withoutPlugins: Bool = false,
    isolation: PluginIsolation? = nil, mmu: MachineSpec.MMUKind? = nil,
    findsStaleTranslations: Bool = false
  ) throws(FileFailure) {
    var parsed: Scenario
    let bytes = try InputFile.read(path)
    do {
      parsed = try Scenario(yaml: bytes)
    } catch {
      throw FileFailure(path, line: error.line, error.message)
    }
    if let mmu { parsed.machine.mmu = mmu }
    if findsStaleTranslations { parsed.machine.findsStaleTranslations = true }
    let folder = FilePath(path).removingLastComponent()
    do {
      plugins =
        withoutPlugins
        ? MachinePlugins()
        : try MachinePlugins(
          parsed.plugins, folder: folder, more: morePlugins, isolation: isolation)
    } catch {
      throw FileFailure(plugin: error)
    }
    do {
      runner = try ScenarioRunner(parsed, folder: folder, plugins: plugins)
    } catch {
      throw FileFailure(path, line: error.line, error.message)
    }
  }
}
