internal import CWorker

/// The process that runs one isolated plugin: it has the machine on one side of a socket and the
/// plugin on the other.
public enum PluginWorkerProcess {
  /// Serves the machine until it is gone.
  ///
  /// - Parameter arguments: what `PluginIsolation` adds to the program's own arguments.
  /// - Returns: the exit status.
  public static func run(_ arguments: [String]) -> Int32 {
    guard let request = WorkerRequest(arguments: arguments) else { return 64 }
    let channel = WorkerChannel(socket: CWORKER_SOCKET)
    cworker_crash_quietly()
    guard cworker_end_with_parent() == 0 else { return 71 }
    var plugin: Plugin?
    do {
      plugin = try load(request, ForwardedServices(channel))
    } catch {
      channel.send(.refused, texts: [error.description])
      return 2
    }
    if let plugin { serve(plugin, channel) }
    // Runs fini, whose services still go to the machine.
    plugin = nil
    channel.send(.finished)
    return 0
  }

  private static func load(
    _ request: WorkerRequest, _ services: ForwardedServices
  ) throws(PluginError) -> Plugin {
    if request.bindings.isEmpty {
      return try Plugin(
        path: request.path, hooks: request.hooks, settings: request.settings, services: services)
    }
    return try Plugin(
      path: request.path, binding: request.bindings, isThreadSafe: request.isThreadSafe)
  }

  private static func serve(_ plugin: Plugin, _ channel: WorkerChannel) {
    let flags: UInt64 = (plugin.isThreadSafe ? 1 : 0) | (plugin.hasManifest ? 2 : 0)
    channel.send(
      .loaded, UInt64(plugin.hooks.count), flags, texts: [plugin.name, plugin.version])
    for one in plugin.bindings {
      channel.send(.hook, texts: [one.hook, one.symbol, one.signature])
    }
    while case .frame(.call) = channel.receive(timeout: -1) {
      guard plugin.hooks.indices.contains(channel.index) else { return }
      let hook = plugin.hooks[channel.index]
      guard unsafe hook.perform(channel.payload, context: plugin.context, answer: channel.draft)
      else { return }
      channel.send(.answer, count: hook.answerSize)
    }
  }
}
