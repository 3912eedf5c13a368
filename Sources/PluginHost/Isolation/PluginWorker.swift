internal import CWorker
internal import Glibc
internal import Paging
internal import Synchronization

/// The process of an isolated plugin, from the machine's side.
@safe
final class PluginWorker: @unchecked Sendable {
  /// What the plugin's manifest says.
  struct Manifest {
    var name = ""
    var version = ""
    var isThreadSafe = false
    var hasManifest = false
    var hooks: [HookBinding] = []
  }

  private let path: String
  private let process: pid_t
  private let channel: WorkerChannel
  private let timeout: Int32
  private let services: any PluginServices
  private struct State {
    var name: String
    var failure: PluginError?
    var isReaped = false
  }
  private let state: Mutex<State>

  /// Starts the process; it begins to load the plugin.
  init(
    _ request: WorkerRequest, _ isolation: PluginIsolation, services: any PluginServices
  ) throws(PluginError) {
    let words = [isolation.executable] + isolation.arguments + request.arguments
    var list = unsafe words.map { unsafe strdup($0) }
    defer { unsafe list.forEach { unsafe free($0) } }
    unsafe list.append(nil)
    var socket: Int32 = -1
    var process: pid_t = 0
    let status = unsafe cworker_start(isolation.executable, list, &socket, &process)
    guard status == 0 else {
      throw PluginError.worker(
        path: request.path,
        reason: unsafe "cannot be run apart: " + String(cString: strerror(status)))
    }
    path = request.path
    self.process = process
    self.services = services
    timeout = isolation.timeout
    channel = WorkerChannel(socket: socket)
    state = Mutex(State(name: request.path.split(separator: "/").last.map(String.init) ?? path))
  }

  deinit { _ = state.withLock { end(&$0, isForced: true) } }

  /// Why the process is of no use any more, or `nil`.
  var failure: PluginError? { state.withLock { $0.failure } }

  /// Waits until the plugin is loaded and its init has returned.
  func load() throws(PluginError) -> Manifest {
    try state.withLock { state throws(PluginError) in
      var manifest = Manifest()
      var count = 1
      while manifest.hooks.count < count {
        switch try next("init", &state) {
        case .loaded:
          let texts = channel.texts
          manifest.name = texts.first ?? ""
          manifest.version = texts.dropFirst().first ?? ""
          manifest.isThreadSafe = channel.word(1) & 1 != 0
          manifest.hasManifest = channel.word(1) & 2 != 0
          count = Int(clamping: channel.word(0))
          state.name = manifest.name
        case .hook:
          let texts = channel.texts
          guard texts.count == 3 else { throw breach("init", &state) }
          manifest.hooks.append(
            HookBinding(hook: texts[0], symbol: texts[1], signature: texts[2]))
        case .refused:
          let error = PluginError.worker(path: path, reason: channel.texts.joined())
          state.failure = error
          throw error
        default: throw breach("init", &state)
        }
      }
      return manifest
    }
  }

  /// Calls a hook.
  ///
  /// - Parameters:
  ///   - fill: writes the values to the payload; returns how many bytes they are.
  ///   - answer: where `answerSize` bytes go.
  @unsafe
  func call(
    _ descriptor: HookDescriptor, index: Int, answer: UnsafeMutableRawPointer, answerSize: Int,
    _ fill: (UnsafeMutableRawPointer) -> Int
  ) throws(PluginError) {
    try state.withLock { state throws(PluginError) in
      if let failure = state.failure { throw failure }
      let count = unsafe fill(channel.draft)
      guard channel.send(.call, index: index, count: count) else {
        throw gone(descriptor.name, &state)
      }
      guard try next(descriptor.name, &state) == .answer else {
        throw breach(descriptor.name, &state)
      }
      let bytes = unsafe channel.payload
      guard bytes.count >= answerSize, let start = bytes.baseAddress else {
        throw breach(descriptor.name, &state)
      }
      unsafe answer.copyMemory(from: start, byteCount: answerSize)
    }
  }

  /// Lets fini run and ends the process.
  func finish() {
    state.withLock { state in
      guard state.failure == nil, !state.isReaped else { return }
      do {
        guard channel.send(.finish) else { throw gone("fini", &state) }
        guard try next("fini", &state) == .finished else { throw breach("fini", &state) }
        _ = end(&state, isForced: false)
      } catch {
        services.log("\(error)", severity: .error, from: state.name)
      }
    }
  }

  /// The next frame that is not a service, all services before it done.
  private func next(
    _ hook: String, _ state: inout State
  ) throws(PluginError) -> WorkerChannel.Kind {
    while true {
      switch channel.receive(timeout: timeout) {
      case .late:
        _ = end(&state, isForced: true)
        throw fail(hook, "gave no answer in \(timeout) ms", &state)
      case .ended: throw gone(hook, &state)
      case .frame(let kind):
        guard serve(kind, state.name) else { return kind }
      }
    }
  }

  /// Does a service.
  ///
  /// - Returns: false for a frame that is none.
  private func serve(_ kind: WorkerChannel.Kind, _ name: String) -> Bool {
    switch kind {
    case .log:
      let severity = PluginSeverity(rawValue: Int32(truncatingIfNeeded: channel.word(0)))
      services.log(channel.texts.joined(), severity: severity ?? .error, from: name)
    case .count: services.count(channel.texts.joined(), by: channel.word(0), from: name)
    case .read:
      let count = Int(clamping: channel.word(1))
      let gpa = GPA(channel.word(0))
      var bytes = [UInt8](repeating: 0, count: min(count, WorkerChannel.largestCopy))
      var span = bytes.mutableSpan
      var raw = unsafe span.mutableBytes
      let isDone = count == raw.byteCount && services.read(gpa, into: &raw)
      channel.send(.reply, isDone ? 1 : 0)
      if isDone { _ = unsafe channel.send(bytes: bytes.span.bytes) }
    case .write:
      let gpa = GPA(channel.word(0))
      let count = Int(clamping: channel.word(1))
      guard count <= WorkerChannel.largestCopy,
        let bytes = channel.receiveBytes(count, timeout: timeout)
      else {
        channel.send(.reply, 0)
        break
      }
      channel.send(.reply, unsafe services.write(bytes.span.bytes, to: gpa) ? 1 : 0)
    case .translate:
      let kind = AccessKind(rawValue: UInt8(truncatingIfNeeded: channel.word(2))) ?? .read
      let gpa = services.translate(
        GVA(channel.word(0)), vcpu: Int(clamping: channel.word(1)), for: kind,
        isUser: channel.word(3) != 0)
      channel.send(.reply, gpa == nil ? 0 : 1, gpa?.rawValue ?? 0)
    case .call, .reply, .data, .finish, .loaded, .hook, .refused, .answer, .finished: return false
    }
    return true
  }

  /// The process has ended, or closed its socket.
  private func gone(_ hook: String, _ state: inout State) -> PluginError {
    let status = end(&state, isForced: false)
    let how =
      status > 0
      ? "was ended by \(Self.name(ofSignal: status))"
      : "ended the process with status \(-1 - status)"
    return fail(hook, how, &state)
  }

  private func breach(_ hook: String, _ state: inout State) -> PluginError {
    _ = end(&state, isForced: true)
    return fail(hook, "broke the protocol of isolated plugins", &state)
  }

  private func fail(_ hook: String, _ how: String, _ state: inout State) -> PluginError {
    let error = PluginError.crashed(plugin: state.name, hook: hook, how: how)
    state.failure = error
    return error
  }

  /// Waits for the process's end; its signal, or -1 - its status.
  private func end(_ state: inout State, isForced: Bool) -> Int32 {
    if state.isReaped { return -1 }
    state.isReaped = true
    if isForced { kill(process, SIGKILL) }
    return cworker_reap(process)
  }

  private static func name(ofSignal number: Int32) -> String {
    let names: [Int32: String] = [
      SIGSEGV: "SIGSEGV", SIGBUS: "SIGBUS", SIGABRT: "SIGABRT", SIGFPE: "SIGFPE",
      SIGILL: "SIGILL", SIGKILL: "SIGKILL", SIGTERM: "SIGTERM", SIGTRAP: "SIGTRAP",
    ]
    return names[number] ?? "signal \(number)"
  }
}
