import Paging
public import PluginHost
import Synchronization
public import SystemPackage

/// The plugins of one machine: loaded, in the order of stacking, with what the machine does for them.
public final class MachinePlugins: Sendable {
  /// The plugins.
  public let plugins: [Plugin]
  let services: MachineServices
  let policies: [PluginPolicy]
  /// Whether plugins are left out on purpose, so that what needs one is left out with it.
  private let isLeftOut: Bool
  private let devices = Mutex<[PluginBusDevice]>([])

  /// No plugins.
  public init() {
    isLeftOut = true
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
  ///   - isolation: how they run apart; `nil` to load them into this process.
  /// - Throws: `PluginError`; those loaded before are ended by their fini.
  public init(
    _ specs: [PluginSpec], folder: FilePath, more: [String] = [],
    isolation: PluginIsolation? = nil
  ) throws(PluginError) {
    isLeftOut = false
    let services = MachineServices()
    var plugins: [Plugin] = []
    for spec in specs {
      let path = folder.pushing(FilePath(spec.path)).string
      let settings = Dictionary(spec.settings, uniquingKeysWith: { $1 })
      let bindings = spec.bindings.map {
        HookBinding(hook: $0.hook, symbol: $0.symbol, signature: $0.signature)
      }
      if let isolation {
        plugins.append(
          try Plugin(
            path: path, hooks: spec.hooks, settings: settings, binding: bindings,
            services: services, isolation: isolation))
      } else if bindings.isEmpty {
        plugins.append(
          try Plugin(path: path, hooks: spec.hooks, settings: settings, services: services))
      } else {
        plugins.append(try Plugin(path: path, binding: bindings))
      }
    }
    for path in more {
      if let isolation {
        plugins.append(try Plugin(path: path, services: services, isolation: isolation))
      } else {
        plugins.append(try Plugin(path: path, services: services))
      }
    }
    self.plugins = plugins
    self.services = services
    policies = plugins.map { PluginPolicy($0) }
  }

  /// The first answer that was refused while the machine ran, or why a plugin that runs apart is gone;
  /// else `nil`.
  public var firstRefusal: PluginError? {
    policies.lazy.compactMap(\.firstRefusal).first
      ?? devices.withLock { $0.lazy.compactMap(\.firstRefusal).first }
      ?? plugins.lazy.compactMap(\.failure).first
  }

  /// The device of a plugin; `nil` where plugins are left out.
  ///
  /// - Throws: `PluginError.hook` where no plugin has the name, or it is no device.
  func device(_ name: String, at base: GPA) throws(PluginError) -> PluginBusDevice? {
    guard let plugin = plugins.first(where: { $0.name == name }) else {
      if isLeftOut { return nil }
      let names = plugins.map(\.name).joined(separator: ", ")
      throw PluginError.hook(
        path: name, hook: "mmio_read",
        reason:
          "is not served: no plugin has this name (\(names.isEmpty ? "none is loaded" : names))")
    }
    let device = try PluginBusDevice(plugin, at: base)
    devices.withLock { $0.append(device) }
    return device
  }
}
