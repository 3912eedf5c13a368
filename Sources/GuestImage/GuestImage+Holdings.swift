public import Paging

extension GuestImage {
  /// How many bytes from an address on are held without a gap. **Units** bytes, at most `count`.
  public func heldBytes(from gpa: GPA, upTo count: UInt64) -> UInt64 {
    var held: UInt64 = 0
    while held < count {
      let address = gpa.wrappingAdd(held)
      guard let segment = table.find(address.rawValue) else { break }
      held += min(count - held, segment.size &- (address.rawValue &- segment.start))
    }
    return held
  }

  /// The first address from the given one on that is held, or `nil`.
  public func firstHeld(from gpa: GPA) -> GPA? {
    if holds(gpa) { return gpa }
    var low = 0
    var high = segments.count
    while low < high {
      let middle = (low + high) / 2
      if segments[middle].gpa < gpa { low = middle + 1 } else { high = middle }
    }
    return low < segments.count ? segments[low].gpa : nil
  }

  /// The size of the file, decoded where it is compressed. **Units** bytes.
  public var fileSize: UInt64 { UInt64(bytes.count) }

  /// The memory that all segments hold together. **Units** bytes, at most 2^64 - 1.
  public var memorySize: UInt64 { segments.reduce(0) { $0 &+ $1.size } }
}
