public import Paging
import Synchronization

/// A device that answers accesses to a range of guest physical addresses.
public protocol MMIODevice: Sendable {
  /// The device's name, for events and reports.
  var name: String { get }
  /// Answers a read of 1 to 8 bytes at an offset in the device's range.
  func read(offset: UInt64, size: Int) -> UInt64
  /// Takes a write of 1 to 8 bytes at an offset in the device's range.
  func write(_ value: UInt64, offset: UInt64, size: Int)
}

/// What answered an access to the bus.
public struct MMIOAnswer: Sendable, Hashable {
  /// The value read; what was written for a write.
  public let value: UInt128
  /// The device's name, or `nil` where nobody claims the address: reads give all ones, writes go
  /// nowhere.
  public let device: String?
}

/// The devices outside the memslots, by address.
public final class MMIOBus: Sendable {
  private struct Range {
    let base: GPA
    let byteCount: UInt64
    let device: any MMIODevice
  }

  private let ranges = Mutex<[Range]>([])

  /// An empty bus.
  public init() {}

  /// Puts a device on the bus.
  ///
  /// - Returns: false where the range is empty, wraps, or overlaps another's.
  public func attach(_ device: any MMIODevice, at base: GPA, byteCount: UInt64) -> Bool {
    guard byteCount > 0, base.adding(byteCount - 1) != nil else { return false }
    return ranges.withLock { ranges in
      let end = base.rawValue + (byteCount - 1)
      let overlaps = ranges.contains {
        $0.base.rawValue <= end && base.rawValue <= $0.base.rawValue + ($0.byteCount - 1)
      }
      if overlaps { return false }
      ranges.append(Range(base: base, byteCount: byteCount, device: device))
      ranges.sort { $0.base < $1.base }
      return true
    }
  }

  /// Reads up to 16 bytes, in pieces of at most 8.
  public func read(_ gpa: GPA, size: Int) -> MMIOAnswer {
    let ones: UInt128 = size >= 16 ? ~0 : (1 << UInt128(size * 8)) - 1
    guard let (device, offset) = find(gpa) else { return MMIOAnswer(value: ones, device: nil) }
    var value = UInt128(device.read(offset: offset, size: min(size, 8)))
    if size > 8 { value |= UInt128(device.read(offset: offset &+ 8, size: size - 8)) << 64 }
    return MMIOAnswer(value: value & ones, device: device.name)
  }

  /// Writes up to 16 bytes, in pieces of at most 8.
  public func write(_ value: UInt128, to gpa: GPA, size: Int) -> MMIOAnswer {
    guard let (device, offset) = find(gpa) else { return MMIOAnswer(value: value, device: nil) }
    device.write(UInt64(truncatingIfNeeded: value), offset: offset, size: min(size, 8))
    if size > 8 {
      device.write(
        UInt64(truncatingIfNeeded: value >> 64), offset: offset &+ 8, size: size - 8)
    }
    return MMIOAnswer(value: value, device: device.name)
  }

  private func find(_ gpa: GPA) -> (any MMIODevice, UInt64)? {
    ranges.withLock { ranges in
      for range in ranges where gpa >= range.base {
        let offset = gpa.rawValue - range.base.rawValue
        if offset < range.byteCount { return (range.device, offset) }
      }
      return nil
    }
  }
}
