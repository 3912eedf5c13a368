import Foundation

/// A UNIX socket that speaks QMP as a script says, one client at a time.
public final class FakeQEMU: Sendable {
  /// What the script does with a command.
  public enum Action: Sendable {
    /// Answers with this JSON value.
    case value(String)
    /// Refuses with these words.
    case refusal(String)
    /// Sends these bytes and no answer.
    case bytes([UInt8])
    /// Says nothing.
    case silence
    /// Closes the connection.
    case hangUp
  }

  /// The socket.
  public let path: String
  private let listener: Int32
  private let isServed: Bool

  /// Opens the socket.
  ///
  /// - Parameters:
  ///   - greeting: what a client is sent first; `nil` for nobody at home: no client is accepted.
  ///   - answer: the script, given the command, or for `human-monitor-command` its line.
  public init(
    greeting: String? = #"{"QMP":{"version":{},"capabilities":[]}}"# + "\n",
    _ answer: @escaping @Sendable (String) -> Action = { _ in .silence }
  ) {
    isServed = greeting != nil
    path = NSTemporaryDirectory() + "/q\(UInt32.random(in: 0...UInt32.max)).sock"
    let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    self.listener = listener
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let name = Array(path.utf8)
    // SAFETY: the structure's own bytes; the name is checked against their number.
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { place in
      precondition(name.count < place.count)
      unsafe place.copyBytes(from: name)
    }
    // SAFETY: a sockaddr_un of the length given.
    let status = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    precondition(status == 0 && listen(listener, 4) == 0)
    guard let greeting else { return }
    Thread.detachNewThread {
      while true {
        let client = accept(listener, nil, nil)
        guard client >= 0 else {
          close(listener)
          return
        }
        Self.serve(client, greeting, answer)
        close(client)
      }
    }
  }

  /// Closes the socket; to be called while the path is still of use, so not left to `deinit`.
  public func end() {
    // Whoever waits in accept closes the descriptor, lest its number names another socket there.
    shutdown(listener, Int32(SHUT_RDWR))
    if !isServed { close(listener) }
    // SAFETY: the string is passed with its end.
    unsafe unlink(path)
  }

  private static func serve(
    _ client: Int32, _ greeting: String, _ answer: (String) -> Action
  ) {
    guard send(client, Array(greeting.utf8)) else { return }
    var pending: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 4096)
    while true {
      while let end = pending.firstIndex(of: 10) {
        let line = String(decoding: pending[..<end], as: UTF8.self)
        pending.removeFirst(end + 1)
        let command = word(after: #""execute":""#, in: line)
        let monitorLine = word(after: #""command-line":""#, in: line)
        let id = word(after: #""id":""#, in: line)
        let reply: [UInt8]
        switch command == "qmp_capabilities" ? .value("{}") : answer(monitorLine ?? command ?? "") {
        case .value(let value):
          let event = #"{"event":"RESUME","timestamp":{"seconds":1}}"#
          reply = Array("\(event)\r\n{\"return\":\(value),\"id\":\"\(id ?? "")\"}\r\n".utf8)
        case .refusal(let words):
          reply =
            Array(
              #"{"id":"\#(id ?? "")","error":{"class":"GenericError","desc":"\#(words)"}}"#.utf8)
            + [10]
        case .bytes(let bytes): reply = bytes
        case .silence: reply = []
        case .hangUp: return
        }
        guard send(client, reply) else { return }
      }
      // SAFETY: the buffer is the array's, for the length of the call.
      let count = unsafe piece.withUnsafeMutableBytes { buffer in
        unsafe recv(client, buffer.baseAddress, buffer.count, 0)
      }
      guard count > 0 else { return }
      pending += piece[..<count]
    }
  }

  private static func send(_ client: Int32, _ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      // SAFETY: as above.
      let count = unsafe rest.withUnsafeBytes { buffer in
        unsafe Foundation.send(client, buffer.baseAddress, buffer.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }

  private static func word(after mark: String, in line: String) -> String? {
    guard let start = line.range(of: mark)?.upperBound else { return nil }
    return String(line[start...].prefix { $0 != "\"" })
  }
}
