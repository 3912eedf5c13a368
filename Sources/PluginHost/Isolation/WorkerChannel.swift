internal import CWorker

/// One end of the socket between a machine and the process that runs one of its plugins: frames of one
/// size, in both directions.
///
/// **Shape** kind and index, 4 bytes each; four words of 8; the payload's length, 4; the payload from
/// byte 64. Used by one thread at a time.
@safe
final class WorkerChannel: @unchecked Sendable {
  /// **Units** bytes.
  static let frameSize = 1024
  private static let payloadStart = 64
  /// The most payload of one frame. **Units** bytes.
  static let room = frameSize - payloadStart
  /// The most guest memory of one service call. **Units** bytes.
  static let largestCopy = 1 << 24

  /// What a frame is.
  enum Kind: UInt32 {
    /// To the worker: call hook `index`; answer a service; more bytes; run fini and end.
    case call = 1, reply, data, finish
    /// From the worker: the manifest; one of its hooks; the load failed; a hook's answer.
    case loaded, hook, refused, answer
    /// From the worker: services.
    case log, count, read, write, translate
    /// From the worker: fini has returned.
    case finished
  }

  /// What receiving gave.
  enum Reception: Equatable {
    case frame(Kind)
    /// The other side is gone, or sends no frames.
    case ended
    /// Nothing came in time.
    case late
  }

  private let socket: Int32
  private let outgoing, incoming: UnsafeMutableRawPointer

  /// Takes the socket over.
  init(socket: Int32) {
    self.socket = socket
    unsafe outgoing = .allocate(byteCount: Self.frameSize, alignment: 16)
    unsafe incoming = .allocate(byteCount: Self.frameSize, alignment: 16)
    unsafe outgoing.initializeMemory(as: UInt8.self, repeating: 0, count: Self.frameSize)
    unsafe incoming.initializeMemory(as: UInt8.self, repeating: 0, count: Self.frameSize)
  }

  deinit {
    close(socket)
    unsafe outgoing.deallocate()
    unsafe incoming.deallocate()
  }

  /// Where the payload of the next frame is written: `room` bytes, aligned to 16.
  var draft: UnsafeMutableRawPointer { unsafe outgoing + Self.payloadStart }

  /// Sends a frame whose payload is the first `count` bytes of `draft`.
  @discardableResult
  func send(
    _ kind: Kind, index: Int = 0, _ first: UInt64 = 0, _ second: UInt64 = 0, _ third: UInt64 = 0,
    _ fourth: UInt64 = 0, count: Int = 0
  ) -> Bool {
    unsafe outgoing.storeBytes(of: kind.rawValue, as: UInt32.self)
    unsafe outgoing.storeBytes(of: UInt32(clamping: index), toByteOffset: 4, as: UInt32.self)
    unsafe outgoing.storeBytes(of: first, toByteOffset: 8, as: UInt64.self)
    unsafe outgoing.storeBytes(of: second, toByteOffset: 16, as: UInt64.self)
    unsafe outgoing.storeBytes(of: third, toByteOffset: 24, as: UInt64.self)
    unsafe outgoing.storeBytes(of: fourth, toByteOffset: 32, as: UInt64.self)
    unsafe outgoing.storeBytes(of: UInt32(clamping: count), toByteOffset: 40, as: UInt32.self)
    return unsafe cworker_send(socket, outgoing, Self.frameSize) == 0
  }

  /// Sends a frame with texts; what does not fit is cut off the last.
  @discardableResult
  func send(
    _ kind: Kind, _ first: UInt64 = 0, _ second: UInt64 = 0, texts: [String]
  ) -> Bool {
    let bytes = Array(texts.map { Array($0.utf8) }.joined(separator: [0]).prefix(Self.room))
    for (offset, byte) in bytes.enumerated() {
      unsafe draft.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
    }
    return send(kind, first, second, count: bytes.count)
  }

  /// Waits for a frame. **Units** milliseconds; below 0 for ever.
  func receive(timeout: Int32) -> Reception {
    switch unsafe cworker_receive(socket, incoming, Self.frameSize, timeout) {
    case 1:
      let kind = Kind(rawValue: unsafe incoming.load(as: UInt32.self))
      return kind.map { .frame($0) } ?? .ended
    case 0: return .ended
    default: return .late
    }
  }

  /// The index of the frame that came last.
  var index: Int { Int(unsafe incoming.load(fromByteOffset: 4, as: UInt32.self)) }

  /// A word of the frame that came last. **Requires** 0 to 3.
  func word(_ number: Int) -> UInt64 {
    precondition(0...3 ~= number)
    return unsafe incoming.load(fromByteOffset: 8 + number * 8, as: UInt64.self)
  }

  /// The payload of the frame that came last.
  var payload: UnsafeMutableRawBufferPointer {
    let count = Int(unsafe incoming.load(fromByteOffset: 40, as: UInt32.self))
    return unsafe UnsafeMutableRawBufferPointer(
      start: incoming + Self.payloadStart, count: min(count, Self.room))
  }

  /// The payload's texts.
  var texts: [String] {
    unsafe payload.split(separator: 0, omittingEmptySubsequences: false)
      .map { unsafe String(decoding: $0, as: UTF8.self) }
  }

  /// Sends bytes as data frames.
  func send(bytes: borrowing RawSpan) -> Bool {
    var sent = 0
    while sent < bytes.byteCount {
      let count = min(Self.room, bytes.byteCount - sent)
      for offset in 0..<count {
        // SAFETY: below the span's and the payload's length.
        unsafe draft.storeBytes(
          of: bytes.unsafeLoad(fromByteOffset: sent + offset, as: UInt8.self),
          toByteOffset: offset, as: UInt8.self)
      }
      guard send(.data, count: count) else { return false }
      sent += count
    }
    return true
  }

  /// Receives so many bytes of data frames; `nil` where the other side breaks off.
  func receiveBytes(_ total: Int, timeout: Int32) -> [UInt8]? {
    var bytes: [UInt8] = []
    while bytes.count < total {
      guard receive(timeout: timeout) == .frame(.data), unsafe payload.count > 0 else {
        return nil
      }
      unsafe bytes.append(contentsOf: payload)
    }
    return bytes.count == total ? bytes : nil
  }
}
