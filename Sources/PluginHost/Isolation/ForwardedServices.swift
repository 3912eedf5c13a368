internal import Glibc
internal import Paging

/// The services of a worker: each is a question to the machine, which listens while a hook, init or
/// fini runs. Threads that the plugin has made itself get none.
@safe
final class ForwardedServices: PluginServices, @unchecked Sendable {
  private let channel: WorkerChannel
  private let thread = pthread_self()

  /// Services for plugins that this thread runs.
  init(_ channel: WorkerChannel) { self.channel = channel }

  private var isServed: Bool { pthread_equal(thread, pthread_self()) != 0 }

  func log(_ message: String, severity: PluginSeverity, from plugin: String) {
    guard isServed else { return }
    channel.send(.log, UInt64(severity.rawValue), texts: [message])
  }

  func count(_ counter: String, by amount: UInt64, from plugin: String) {
    guard isServed else { return }
    channel.send(.count, amount, texts: [counter])
  }

  func read(_ gpa: GPA, into bytes: inout MutableRawSpan) -> Bool {
    let count = bytes.byteCount
    guard isServed, count <= WorkerChannel.largestCopy,
      channel.send(.read, gpa.rawValue, UInt64(count)),
      channel.receive(timeout: -1) == .frame(.reply), channel.word(0) == 1,
      let found = channel.receiveBytes(count, timeout: -1)
    else { return false }
    for (offset, byte) in found.enumerated() {
      bytes.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
    }
    return true
  }

  func write(_ bytes: borrowing RawSpan, to gpa: GPA) -> Bool {
    guard isServed, bytes.byteCount <= WorkerChannel.largestCopy,
      channel.send(.write, gpa.rawValue, UInt64(bytes.byteCount)), channel.send(bytes: bytes)
    else { return false }
    return channel.receive(timeout: -1) == .frame(.reply) && channel.word(0) == 1
  }

  func translate(_ gva: GVA, vcpu: Int, for access: AccessKind, isUser: Bool) -> GPA? {
    guard isServed,
      channel.send(
        .translate, gva.rawValue, UInt64(clamping: vcpu), UInt64(access.rawValue),
        isUser ? 1 : 0),
      channel.receive(timeout: -1) == .frame(.reply), channel.word(0) == 1
    else { return nil }
    return GPA(channel.word(1))
  }
}
