package import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A UNIX socket whose every step ends at one deadline.
package struct QMPSocket: ~Copyable {
  private let descriptor: Int32
  private let deadline: ContinuousClock.Instant
  /// Bytes that came after the last line.
  private var pending: [UInt8] = []

  /// The longest line that is taken. **Units** bytes.
  private static var longestLine: Int { 16 << 20 }

  /// Connects, without waiting past the deadline.
  package init(_ path: FilePath, until deadline: ContinuousClock.Instant) throws(QMPError) {
    descriptor = try Self.connect(path, until: deadline)
    self.deadline = deadline
  }

  deinit { close(descriptor) }

  private static func connect(
    _ path: FilePath, until deadline: ContinuousClock.Instant
  ) throws(QMPError) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let name = Array(path.string.utf8)
    // SAFETY: the place is the structure's own, of the size that is looked at, and zeroed.
    let room = unsafe withUnsafeMutableBytes(of: &address.sun_path) { place in
      if name.count < place.count { unsafe place.copyBytes(from: name) }
      return place.count
    }
    guard name.count < room else { throw .nameTooLong(limit: room - 1) }
    #if canImport(Glibc)
    let kind = Int32(SOCK_STREAM.rawValue)
    #else
    let kind = SOCK_STREAM
    #endif
    let descriptor = socket(AF_UNIX, kind, 0)
    guard descriptor >= 0 else { throw .unusable("\(Errno(rawValue: errno))") }
    do {
      try connect(descriptor, to: &address, until: deadline)
    } catch {
      close(descriptor)
      throw error
    }
    return descriptor
  }

  private static func connect(
    _ descriptor: Int32, to address: inout sockaddr_un, until deadline: ContinuousClock.Instant
  ) throws(QMPError) {
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    guard fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0 else {
      throw .unusable("\(Errno(rawValue: errno))")
    }
    while true {
      // SAFETY: a sockaddr_un is what AF_UNIX expects, of the length given; both live for the call.
      let status = unsafe withUnsafePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe platformConnect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      }
      if status == 0 { break }
      let reason = errno
      // EAGAIN: the queue of the listening socket is full, and nothing tells when it no longer is.
      guard reason == EAGAIN || reason == EINTR else {
        throw .unusable("\(Errno(rawValue: reason))")
      }
      guard ContinuousClock.now < deadline else { throw .silent(command: "") }
      usleep(10_000)
    }
  }

  /// Sends all bytes.
  mutating func send(_ bytes: [UInt8], for command: String) throws(QMPError) {
    #if os(Linux)
    let flags = Int32(MSG_NOSIGNAL)
    #else
    let flags: Int32 = 0
    #endif
    var rest = bytes[...]
    while !rest.isEmpty {
      // SAFETY: the bytes are the array's, for the length of the call.
      let count = unsafe rest.withUnsafeBytes { buffer in
        unsafe Self.platformSend(descriptor, buffer, flags)
      }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if errno == EAGAIN {
        try wait(for: Int16(POLLOUT), command)
      } else if errno != EINTR {
        throw errno == EPIPE ? .closed : .unusable("\(Errno(rawValue: errno))")
      }
    }
  }

  private static func platformConnect(
    _ descriptor: Int32, _ address: UnsafePointer<sockaddr>, _ length: socklen_t
  ) -> Int32 {
    #if canImport(Glibc)
    unsafe Glibc.connect(descriptor, address, length)
    #elseif canImport(Musl)
    unsafe Musl.connect(descriptor, address, length)
    #else
    unsafe Darwin.connect(descriptor, address, length)
    #endif
  }

  private static func platformSend(
    _ descriptor: Int32, _ buffer: UnsafeRawBufferPointer, _ flags: Int32
  ) -> Int {
    #if canImport(Glibc)
    unsafe Glibc.send(descriptor, buffer.baseAddress, buffer.count, flags)
    #elseif canImport(Musl)
    unsafe Musl.send(descriptor, buffer.baseAddress, buffer.count, flags)
    #else
    unsafe Darwin.send(descriptor, buffer.baseAddress, buffer.count, flags)
    #endif
  }

  /// The next line, without its line feed.
  mutating func line(for command: String) throws(QMPError) -> [UInt8] {
    var searched = 0
    while true {
      if let end = pending[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        let line = Array(pending[..<end])
        pending.removeFirst(end + 1)
        return line
      }
      searched = pending.count
      guard searched <= Self.longestLine else {
        throw .malformed("a line of more than \(Self.longestLine) bytes")
      }
      try receive(for: command)
    }
  }

  private mutating func receive(for command: String) throws(QMPError) {
    while true {
      try wait(for: Int16(POLLIN), command)
      var piece = [UInt8](repeating: 0, count: 1 << 16)
      // SAFETY: the buffer is the array's, for the length of the call.
      let count = unsafe piece.withUnsafeMutableBytes { buffer in
        unsafe recv(descriptor, buffer.baseAddress, buffer.count, 0)
      }
      if count > 0 {
        pending.append(contentsOf: piece[..<count])
        return
      }
      if count == 0 || errno == ECONNRESET { throw .closed }
      guard errno == EAGAIN || errno == EINTR else {
        throw .unusable("\(Errno(rawValue: errno))")
      }
    }
  }

  /// Waits until the socket is ready, or the deadline has passed.
  private func wait(for events: Int16, _ command: String) throws(QMPError) {
    while true {
      let left = deadline - ContinuousClock.now
      guard left > .zero else { throw .silent(command: command) }
      let milliseconds = min(left / .milliseconds(1), 60_000).rounded(.up)
      var request = pollfd(fd: descriptor, events: events, revents: 0)
      // SAFETY: one structure, which lives across the call.
      let ready = unsafe poll(&request, 1, Int32(milliseconds))
      if ready > 0 { return }
      guard ready == 0 || errno == EINTR else {
        throw .unusable("\(Errno(rawValue: errno))")
      }
    }
  }
}
