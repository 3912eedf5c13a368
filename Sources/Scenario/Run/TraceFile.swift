import Notation
import Paging
public import SystemPackage

/// Reads traces: JSON Lines, one access each, read as untrusted.
enum TraceFile {
  /// The largest trace that is read. **Units** bytes.
  static var largest: Int { 256 << 20 }

  /// Reads a trace whole.
  ///
  /// - Throws: `ScenarioError` with the line of the trace.
  static func read(_ path: FilePath, vcpus: Int) throws(ScenarioError) -> [TraceRecord] {
    try parse(bytes(of: path), vcpus: vcpus)
  }

  /// Reads the lines of a trace; empty ones are passed over.
  static func parse(_ bytes: [UInt8], vcpus: Int) throws(ScenarioError) -> [TraceRecord] {
    var records: [TraceRecord] = []
    for (index, line) in bytes.split(
      separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false
    ).enumerated() {
      if line.allSatisfy({ $0 == 0x20 || $0 == 0x0D || $0 == 0x09 }) { continue }
      do {
        records.append(
          try TraceRecord(JSONInput.decode(TraceLine.self, from: line), vcpus: vcpus))
      } catch let error as JSONInputError {
        throw ScenarioError(line: index + 1, error.description)
      } catch let error as ScenarioError {
        throw ScenarioError(line: index + 1, error.message)
      } catch {
        throw ScenarioError(line: index + 1, "not a line of a trace")
      }
    }
    return records
  }

  private static func bytes(of path: FilePath) throws(ScenarioError) -> [UInt8] {
    do {
      let descriptor = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
      defer { try? descriptor.close() }
      var bytes: [UInt8] = []
      var piece = [UInt8](repeating: 0, count: 1 << 16)
      while true {
        // SAFETY: the buffer is the array's, for the length of the call.
        let count = try unsafe piece.withUnsafeMutableBytes { try unsafe descriptor.read(into: $0) }
        if count == 0 { return bytes }
        bytes += piece[..<count]
        guard bytes.count <= largest else {
          throw ScenarioError(line: nil, "more than \(largest) bytes")
        }
      }
    } catch let error as ScenarioError {
      throw error
    } catch {
      throw ScenarioError(line: nil, "cannot be read: \(error)")
    }
  }
}

extension TraceRecord {
  /// Reads a trace whole, whatever its vCPUs' numbers, up to 1,023.
  ///
  /// - Throws: `ScenarioError` with the line of the trace.
  public static func read(_ path: FilePath) throws(ScenarioError) -> [TraceRecord] {
    try TraceFile.read(path, vcpus: 1024)
  }

  /// Reads the lines of a trace, as `read(_:)` does those of a file.
  public static func read(_ bytes: [UInt8]) throws(ScenarioError) -> [TraceRecord] {
    try TraceFile.parse(bytes, vcpus: 1024)
  }
}

/// A line of a trace as it is written.
private struct TraceLine: Decodable {
  var vcpu: JSONInteger?
  var op: String
  var va: JSONInteger
  var size: JSONInteger
  var user: Bool?
  var implicit: Bool?
  var ac: Bool?
  var handled: Bool?
  var value: String?
  var ok: Bool?
  var gpa: JSONInteger?
  var vector: JSONInteger?
  var error: JSONInteger?
  var reflected: String?
}

extension TraceRecord {
  fileprivate init(_ line: TraceLine, vcpus: Int) throws(ScenarioError) {
    func refuse(_ message: String) -> ScenarioError { ScenarioError(line: nil, message) }
    let kinds: [String: AccessKind] = ["r": .read, "w": .write, "x": .fetch]
    guard let kind = kinds[line.op] else {
      throw refuse("op: '\(line.op.prefix(40).filter { !$0.isNewline })' is not allowed (r, w, x)")
    }
    let vcpu = line.vcpu?.value ?? 0
    guard vcpu < UInt64(vcpus) else { throw refuse("vcpu: \(vcpu) (allowed: 0 to \(vcpus - 1))") }
    guard (1...16).contains(line.size.value) else {
      throw refuse("size: \(line.size.value) (allowed: 1 to 16)")
    }
    let size = Int(line.size.value)
    let value = try line.value.map { text throws(ScenarioError) in
      guard let value = Self.number(text), size == 16 || value >> UInt128(size * 8) == 0 else {
        throw refuse("value: not a number of \(size) bytes")
      }
      return value
    }
    access = AccessAction(
      kind: kind, va: GVA(line.va.value), size: size, value: value ?? 0,
      isUser: line.user ?? false, alignmentCheck: line.ac ?? false,
      isImplicit: line.implicit ?? false, handlesExceptions: line.handled ?? false, vcpu: Int(vcpu),
      form: .number)
    outcome = try line.ok.map { ok throws(ScenarioError) in
      if ok { return .done(gpa: line.gpa.map { GPA($0.value) }) }
      if let name = line.reflected {
        guard let cause = ExitCause(rawValue: name) else {
          throw refuse("reflected: '\(name.prefix(40).filter { !$0.isNewline })' is no cause")
        }
        return .reflected(cause)
      }
      guard let vector = line.vector else { return .failed }
      guard vector.value < 32, let code = UInt32(exactly: line.error?.value ?? 0) else {
        throw refuse("vector or error is out of range (0 to 31, 32 bits)")
      }
      return .fault(vector: UInt8(vector.value), errorCode: code)
    }
  }

  private static func number(_ text: String) -> UInt128? {
    let isHex = text.hasPrefix("0x")
    let digits = isHex ? text.dropFirst(2) : text[...]
    guard digits.first?.isHexDigit == true else { return nil }
    return UInt128(digits, radix: isHex ? 16 : 10)
  }
}
