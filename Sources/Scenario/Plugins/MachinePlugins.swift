import Paging
public import PluginHost
public import SystemPackage

/// The plugins of one machine: loaded, in the order of stacking, with what the machine does for them.
public final class MachinePlugins: Sendable {
  /// The plugins.
  public let plugins: [Plugin]
  let services: MachineServices
  let policies: [PluginPolicy]

  /// No plugins.
  public init() {
    plugins = []
    services = MachineServices()
    policies = []
  }

  /// Loads plugins.
  ///
  /// - Parameters:
  ///   - specs: those that a scenario names.
  ///   - folder: what their paths are relative to.
  ///   - more: further shared objects, by path, with all their hooks and no settings.
  /// - Throws: `PluginError`; those loaded before are ended by their fini.
  public init(_ specs: [PluginSpec], folder: FilePath, more: [String] = []) throws(PluginError) {
    let services = MachineServices()
    var plugins: [Plugin] = []
    for spec in specs {
      let path = folder.pushing(FilePath(spec.path)).string
      let settings = Dictionary(spec.settings, uniquingKeysWith: { $1 })
      if spec.bindings.isEmpty {
        plugins.append(
          try Plugin(path: path, hooks: spec.hooks, settings: settings, services: services))
      } else {
        plugins.append(
          try Plugin(
            path: path,
            binding: spec.bindings.map {
              HookBinding(hook: $0.hook, symbol: $0.symbol, signature: $0.signature)
            }))
      }
    }
    for path in more { plugins.append(try Plugin(path: path, services: services)) }
    self.plugins = plugins
    self.services = services
    policies = plugins.map { PluginPolicy($0) }
  }

  /// The first answer that was refused while the machine ran, or `nil`.
  public var firstRefusal: PluginError? { policies.lazy.compactMap(\.firstRefusal).first }
}
