import Notation

/// A conversation in QMP: JSON, one object a line.
///
/// **Source** QEMU's own description, "QEMU Machine Protocol Specification".
package struct QMPConnection: ~Copyable {
  private var socket: QMPSocket
  private var number = 0

  /// Lines that may come between a command and its answer: events.
  private static var mostEvents: Int { 10_000 }

  private struct Greeting: Decodable {
    struct Version: Decodable {}
    // QMP's own spelling.
    var QMP: Version  // swift-format-ignore: AlwaysUseLowerCamelCase
  }

  private struct Envelope: Decodable {
    struct Refusal: Decodable {
      var desc: String
    }
    var id: String?
    var error: Refusal?
  }

  private struct Answer<Value: Decodable>: Decodable {
    var `return`: Value
  }

  /// An answer that is of no interest.
  struct Nothing: Decodable {}

  /// A conversation that has not begun.
  package init(_ socket: consuming QMPSocket) { self.socket = socket }

  /// Reads the greeting, and leaves the negotiation behind.
  package mutating func begin() throws(QMPError) {
    _ = try Self.decode(Greeting.self, from: try socket.line(for: ""), "the greeting")
    _ = try execute("qmp_capabilities", as: Nothing.self)
  }

  /// Runs a command.
  ///
  /// - Parameter arguments: strings and integers by name.
  mutating func execute<Value: Decodable>(
    _ command: String, _ arguments: [(name: String, value: QMPArgument)] = [],
    as type: Value.Type
  ) throws(QMPError) -> Value {
    number += 1
    let id = "mmu-\(number)"
    var text = "{\"execute\":\(QMPArgument.quoted(command)),\"id\":\(QMPArgument.quoted(id))"
    if !arguments.isEmpty {
      let parts = arguments.map { "\(QMPArgument.quoted($0.name)):\($0.value.json)" }
      text += ",\"arguments\":{\(parts.joined(separator: ","))}"
    }
    try socket.send(Array((text + "}\n").utf8), for: command)
    for _ in 0..<Self.mostEvents {
      let line = try socket.line(for: command)
      let envelope = try Self.decode(Envelope.self, from: line, command)
      if let error = envelope.error, envelope.id == nil || envelope.id == id {
        throw .refused(command: command, reason: error.desc)
      }
      guard envelope.id == id else { continue }
      return try Self.decode(Answer<Value>.self, from: line, command).return
    }
    throw .malformed("\(Self.mostEvents) events and no answer to \(command)")
  }

  /// Runs a command of the human monitor.
  package mutating func monitor(_ line: String, cpu: Int? = nil) throws(QMPError) -> String {
    var arguments: [(name: String, value: QMPArgument)] = [("command-line", .text(line))]
    if let cpu { arguments.append(("cpu-index", .number(cpu))) }
    return try execute("human-monitor-command", arguments, as: String.self)
  }

  /// Reads a property of an object.
  mutating func property<Value: Decodable>(
    _ name: String, of path: String, as type: Value.Type
  ) throws(QMPError) -> Value {
    try execute("qom-get", [("path", .text(path)), ("property", .text(name))], as: type)
  }

  private static func decode<Value: Decodable>(
    _ type: Value.Type, from line: [UInt8], _ what: String
  ) throws(QMPError) -> Value {
    do {
      return try JSONInput.decode(type, from: line)
    } catch {
      throw .malformed("\(what): \(error.description)")
    }
  }
}

/// A value that a command takes.
enum QMPArgument {
  case text(String)
  case number(Int)

  var json: String {
    switch self {
    case .text(let text): Self.quoted(text)
    case .number(let number): "\(number)"
    }
  }

  /// A JSON string.
  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\\(scalar)"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
