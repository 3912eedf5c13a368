/// What answered an access to the bus.
public struct MMIOAnswer: Sendable, Hashable {
  /// The value read; what was written for a write.
  public let value: UInt128
  /// The device's name, or `nil` where nobody claims the address: reads give all ones, writes go
  /// nowhere.
  public let device: String?
}
