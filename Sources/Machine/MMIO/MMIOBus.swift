public import Paging

/// The devices outside the memslots, by address.
public final class MMIOBus: Sendable {
  private struct Range {
    let base: GPA
    let byteCount: UInt64
    let device: any MMIODevice
  }

  private let ranges = Guarded<[Range]>([])

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

  /// Reads 1 to 16 bytes, in pieces of at most 8 that each go to the device at their first byte.
  public func read(_ gpa: GPA, size: Int) -> MMIOAnswer {
    let size = min(max(size, 1), 16)
    var value: UInt128 = 0
    var name: String?
    for first in stride(from: 0, to: size, by: 8) {
      let count = min(8, size - first)
      let ones = UInt64.max >> UInt64(64 - count * 8)
      var piece = ones
      if let (device, offset) = find(gpa.wrappingAdd(UInt64(first))) {
        piece = device.read(offset: offset, size: count) & ones
        name = name ?? device.name
      }
      value |= UInt128(piece) << UInt128(first * 8)
    }
    return MMIOAnswer(value: value, device: name)
  }

  /// Writes 1 to 16 bytes, in pieces as `read`.
  public func write(_ value: UInt128, to gpa: GPA, size: Int) -> MMIOAnswer {
    let size = min(max(size, 1), 16)
    let value = value & (~0 >> UInt128(128 - size * 8))
    var name: String?
    for first in stride(from: 0, to: size, by: 8) {
      let count = min(8, size - first)
      guard let (device, offset) = find(gpa.wrappingAdd(UInt64(first))) else { continue }
      let piece = UInt64(truncatingIfNeeded: value >> UInt128(first * 8))
      device.write(piece & (.max >> UInt64(64 - count * 8)), offset: offset, size: count)
      name = name ?? device.name
    }
    return MMIOAnswer(value: value, device: name)
  }

  /// A device's state, to be put back.
  struct SavedDevice: Sendable {
    let putBack: @Sendable () -> Void
  }

  /// Keeps the devices' states.
  ///
  /// - Returns: the states, and the names of the devices that cannot be kept.
  func save() -> (devices: [SavedDevice], leftOut: [String]) {
    func save<Device: RestorableDevice>(_ device: Device) -> SavedDevice {
      let state = device.state
      return SavedDevice { device.state = state }
    }
    var saved: [SavedDevice] = []
    var leftOut: [String] = []
    for range in ranges.withLock({ $0 }) {
      if let device = range.device as? any RestorableDevice {
        saved.append(save(device))
      } else {
        leftOut.append(range.device.name)
      }
    }
    return (saved, leftOut)
  }

  /// Puts the devices' states back.
  func restore(_ devices: [SavedDevice]) { for device in devices { device.putBack() } }

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
