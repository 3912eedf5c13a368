/// A device that answers accesses to a range of guest physical addresses.
public protocol MMIODevice: Sendable {
  /// The device's name, for events and reports.
  var name: String { get }
  /// Answers a read of 1 to 8 bytes at an offset in the device's range.
  func read(offset: UInt64, size: Int) -> UInt64
  /// Takes a write of 1 to 8 bytes at an offset in the device's range.
  func write(_ value: UInt64, offset: UInt64, size: Int)
}
