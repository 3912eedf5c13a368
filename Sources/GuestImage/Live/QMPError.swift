/// Why a running QEMU could not be asked. Each description is one line.
public enum QMPError: Error, Hashable, Sendable {
  /// The name of a UNIX socket has room for this many bytes and no more.
  case nameTooLong(limit: Int)
  /// Nobody listens, or the socket failed; the system's words.
  case unusable(String)
  /// No answer in time: to a command, or the greeting, where the name is empty.
  case silent(command: String)
  /// The other side hung up.
  case closed
  /// An answer that is not what QMP says, or is larger than any that QEMU gives.
  case malformed(String)
  /// QEMU refuses a command.
  case refused(command: String, reason: String)
  /// The guest is not an x86 one.
  case notX86(target: String)
}

extension QMPError: CustomStringConvertible {
  /// One line.
  public var description: String {
    switch self {
    case .nameTooLong(let limit): "the socket's name is too long (at most \(limit) bytes)"
    case .unusable(let reason): "the QMP socket cannot be used: \(reason)"
    case .silent(command: ""):
      "no greeting from QEMU in time (is it a QMP socket, and does nobody else hold it?)"
    case .silent(let command): "no answer from QEMU to \(command) in time"
    case .closed: "the QMP socket was closed before everything was answered"
    case .malformed(let what): "not an answer of QEMU: \(what)"
    case .refused(let command, let reason):
      "QEMU refuses \(command): \(String(reason.prefix(160).map { $0.isNewline ? " " : $0 }))"
    case .notX86(let target):
      "the guest's processor is \(target.prefix(40)) (x86_64 or i386)"
    }
  }
}
