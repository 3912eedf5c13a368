/// What the hardware reports when it leaves the guest.
///
/// Its description is what the hardware said, in words for events.
public protocol MMUExit: Error, Sendable, CustomStringConvertible {
  /// Under which cause the exit is counted.
  var cause: ExitCause { get }
  /// Whether the hardware was after a guest's table entry and not the address itself.
  var isTableAccess: Bool { get }
}

extension MMUExit {
  /// Not as far as is known.
  @inlinable
  public var isTableAccess: Bool { false }
}
