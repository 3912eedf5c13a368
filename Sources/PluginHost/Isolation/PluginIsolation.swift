/// How plugins are run in processes of their own, so that one that crashes or hangs is an error and
/// not the end of the machine.
///
/// Each plugin gets a process; every hook is a frame to it and one back, so calls of one plugin come
/// one after another, thread-safe or not. **Not covered**: a plugin can still do what the user can do.
public struct PluginIsolation: Sendable, Hashable {
  /// The program that runs the plugin; it calls `PluginWorkerProcess.run(_:)`.
  public var executable: String
  /// Its arguments before those of the worker.
  public var arguments: [String]
  /// How long a hook may take. **Units** milliseconds.
  public var timeout: Int32

  /// Isolation by a program.
  public init(
    executable: String = "/proc/self/exe", arguments: [String], timeout: Int32 = 10_000
  ) {
    self.executable = executable
    self.arguments = arguments
    self.timeout = max(timeout, 1)
  }
}

/// What a worker is asked to load, as its arguments say it.
struct WorkerRequest: Equatable {
  var path: String
  var hooks: [String]?
  var settings: [String: String] = [:]
  var bindings: [HookBinding] = []
  var isThreadSafe = false

  /// As program arguments.
  var arguments: [String] {
    var list = [path]
    if let hooks { list += ["only"] + hooks.flatMap { ["hook", $0] } }
    for (key, value) in settings.sorted(by: { $0.key < $1.key }) { list += ["set", key, value] }
    for one in bindings { list += ["bind", one.hook, one.symbol, one.signature] }
    if isThreadSafe { list.append("thread-safe") }
    return list
  }

  init(path: String, hooks: [String]? = nil, settings: [String: String] = [:]) {
    self.path = path
    self.hooks = hooks
    self.settings = settings
  }

  /// From program arguments; `nil` where they are not a request.
  init?(arguments: [String]) {
    var rest = arguments[...]
    guard let path = rest.popFirst() else { return nil }
    self.init(path: path)
    while let word = rest.popFirst() {
      switch word {
      case "only": hooks = hooks ?? []
      case "thread-safe": isThreadSafe = true
      case "hook":
        guard let name = rest.popFirst() else { return nil }
        hooks = (hooks ?? []) + [name]
      case "set":
        guard let key = rest.popFirst(), let value = rest.popFirst() else { return nil }
        settings[key] = value
      case "bind":
        guard let hook = rest.popFirst(), let symbol = rest.popFirst(),
          let signature = rest.popFirst()
        else { return nil }
        bindings.append(HookBinding(hook: hook, symbol: symbol, signature: signature))
      default: return nil
      }
    }
  }
}
