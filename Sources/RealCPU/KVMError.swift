/// Why the CPU cannot be asked, in one line.
public struct KVMError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The line.
  public let description: String

  init(_ description: String) { self.description = description }
}
