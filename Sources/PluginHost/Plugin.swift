internal import CMMUPlugin
internal import Synchronization

/// A shared object that serves hooks, loaded into this process.
///
/// Loading is done in an order that lets nothing of a wrong plugin run but its constructors: the file
/// is judged, loaded, its manifest read, every signature parsed and compared with its hook, every
/// call prepared; then init. After that fini runs exactly once, when the last reference goes, also
/// where composing or running a machine fails in between (SPEC H5).
///
/// A shared object is code that runs as the user: the checks tell a wrong or damaged plugin from a
/// right one, not a hostile one from a friendly one. A hostile but well-formed one can read and write
/// this program's memory, files and network as the user can, from the moment it is loaded. Load only
/// what you would run. Nothing is loaded that the user did not name, save what that object itself
/// depends on.
@safe
public final class Plugin: Sendable {
  /// The file, as it was named.
  public let path: String
  /// The name in its manifest; the file's last component where a user bound it without one.
  public let name: String
  /// The version in its manifest, or empty.
  public let version: String
  /// Whether hooks may run on several threads at once; a plugin that does not say so is called under
  /// a lock (SPEC H6).
  public let isThreadSafe: Bool
  /// Whether it has a manifest, and so init and fini.
  public let hasManifest: Bool
  let hooks: [BoundHook]
  // PERF: plugin.call; by number.
  private let table: [BoundHook?]
  let context: UInt
  private let library: SharedLibrary?
  private let services: ServiceTable?
  let worker: PluginWorker?
  private let finish: @Sendable () -> Void

  /// Loads a plugin that has a manifest.
  ///
  /// - Parameters:
  ///   - path: the file; never looked up in the loader's directories.
  ///   - hooks: which of its hooks to use, or `nil` for all.
  ///   - settings: what the plugin can ask for by name.
  ///   - services: what the machine does for it.
  /// - Throws: `PluginError`; init has not run, or it declined.
  public convenience init(
    path: String, hooks: [String]? = nil, settings: [String: String] = [:],
    services: any PluginServices = NoPluginServices()
  ) throws(PluginError) {
    let library = try SharedLibrary.open(path)
    let manifest = try Manifest(of: library)
    var bound: [BoundHook] = []
    for name in hooks ?? [] where !manifest.hooks.contains(where: { $0.hook == name }) {
      throw PluginError.hook(
        path: path, hook: name,
        reason: HookDescriptor.named(name) == nil
          ? "does not exist" : "is not served by plugin '\(manifest.name)'")
    }
    for binding in manifest.hooks where hooks?.contains(binding.hook) ?? true {
      bound.append(
        try BoundHook(binding, in: library, isThreadSafe: manifest.isThreadSafe))
    }
    try self.init(
      library: library, manifest: manifest, hooks: bound, settings: settings, services: services)
  }

  /// Binds functions of any shared object to hooks, with signatures from the user; no init, no fini,
  /// and `context` is null.
  ///
  /// - Parameters:
  ///   - path: the file; never looked up in the loader's directories.
  ///   - bindings: which function serves which hook.
  ///   - isThreadSafe: the user's word for it.
  /// - Throws: `PluginError`.
  public init(
    path: String, binding bindings: [HookBinding], isThreadSafe: Bool = false
  ) throws(PluginError) {
    let library = try SharedLibrary.open(path)
    var bound: [BoundHook] = []
    for (index, binding) in bindings.enumerated() {
      if bindings[..<index].contains(where: { $0.hook == binding.hook }) {
        throw PluginError.hook(path: path, hook: binding.hook, reason: "is bound twice")
      }
      bound.append(try BoundHook(binding, in: library, isThreadSafe: isThreadSafe))
    }
    self.path = path
    name = path.split(separator: "/").last.map(String.init) ?? path
    version = ""
    self.isThreadSafe = isThreadSafe
    hasManifest = false
    hooks = bound
    table = Self.table(of: bound)
    context = 0
    self.library = library
    services = ServiceTable(for: name, services: NoPluginServices(), settings: [:])
    worker = nil
    finish = {}
  }

  /// Binds one function of any shared object to a hook.
  ///
  /// - Throws: `PluginError`.
  public static func bind(
    path: String, hook: String, symbol: String, signature: String
  ) throws(PluginError) -> Plugin {
    try Plugin(
      path: path, binding: [HookBinding(hook: hook, symbol: symbol, signature: signature)])
  }

  private init(
    library: SharedLibrary, manifest: Manifest, hooks: [BoundHook], settings: [String: String],
    services: any PluginServices
  ) throws(PluginError) {
    let services = ServiceTable(for: manifest.name, services: services, settings: settings)
    var context: UInt = 0
    if let initialize = unsafe manifest.initialize {
      let isLocked = !manifest.isThreadSafe
      let result = library.withLock(isLocked) { () -> (status: Int32, context: UInt) in
        var stored: UnsafeMutableRawPointer?
        let status = unsafe initialize(services.table, &stored)
        return (status, UInt(bitPattern: stored))
      }
      guard result.status == MMU_PLUGIN_OK else {
        throw PluginError.declined(plugin: manifest.name, status: result.status)
      }
      context = result.context
    }
    path = library.path
    name = manifest.name
    version = manifest.version
    isThreadSafe = manifest.isThreadSafe
    hasManifest = true
    self.hooks = hooks
    table = Self.table(of: hooks)
    self.context = context
    self.library = library
    self.services = services
    worker = nil
    finish = { [context] in
      guard let fini = unsafe manifest.finish else { return }
      library.withLock(!manifest.isThreadSafe) {
        unsafe fini(UnsafeMutableRawPointer(bitPattern: context))
      }
    }
  }

  /// Loads a plugin in a process of its own; parameters as of the other initialisers.
  ///
  /// - Parameters:
  ///   - path: the file; never looked up in the loader's directories.
  ///   - hooks: which of its hooks to use, or `nil` for all.
  ///   - settings: what the plugin can ask for by name.
  ///   - bindings: where there are any, `hooks` and `settings` mean nothing.
  ///   - services: what the machine does for it.
  ///   - isolation: how its process is started.
  /// - Throws: `PluginError`; `.worker` for what loading it here would throw.
  public init(
    path: String, hooks: [String]? = nil, settings: [String: String] = [:],
    binding bindings: [HookBinding] = [], services: any PluginServices = NoPluginServices(),
    isolation: PluginIsolation
  ) throws(PluginError) {
    var request = WorkerRequest(path: path, hooks: hooks, settings: settings)
    request.bindings = bindings
    let worker = try PluginWorker(request, isolation, services: services)
    let manifest = try worker.load()
    self.path = path
    name = manifest.name
    version = manifest.version
    isThreadSafe = manifest.isThreadSafe
    hasManifest = manifest.hasManifest
    var bound: [BoundHook] = []
    for (index, binding) in manifest.hooks.enumerated() {
      bound.append(try BoundHook(binding, of: worker, index: index, path: path))
    }
    self.hooks = bound
    table = Self.table(of: bound)
    context = 0
    library = nil
    self.services = nil
    self.worker = worker
    finish = { worker.finish() }
  }

  deinit { finish() }

  /// Why a plugin that runs apart is of no use any more, or `nil`.
  public var failure: PluginError? { worker?.failure }

  /// The hooks it serves, with symbol and signature as libffi calls them.
  public var bindings: [HookBinding] {
    hooks.map {
      HookBinding(
        hook: $0.descriptor.name, symbol: $0.symbol, signature: $0.signature.description)
    }
  }

  /// Whether it serves a hook.
  public func serves(_ hook: String) -> Bool { hooks.contains { $0.descriptor.name == hook } }

  /// Its function for a hook, or `nil`.
  func hook(_ kind: HookKind) -> BoundHook? { table[kind.rawValue] }

  private static func table(of hooks: [BoundHook]) -> [BoundHook?] {
    HookKind.allCases.map { kind in hooks.first { $0.descriptor.kind == kind } }
  }
}
