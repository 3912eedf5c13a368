/// A part of host memory that something other than anonymous pages is behind.
struct HostPart: Sendable {
  /// **Units** bytes of the reservation; whole pages.
  let range: Range<UInt64>
  let backing: HostMemoryBacking
}

extension [HostPart] {
  /// The index of the first part that ends after an address. **Requires** ascending parts.
  func index(endingAfter address: UInt64) -> Int {
    var low = startIndex
    var high = endIndex
    while low < high {
      let middle = (low + high) / 2
      if self[middle].range.upperBound > address { high = middle } else { low = middle + 1 }
    }
    return low
  }

  /// The part that holds an address.
  func part(at address: UInt64) -> HostPart? {
    let index = index(endingAfter: address)
    return index < endIndex && self[index].range.contains(address) ? self[index] : nil
  }

  /// The parts that overlap a range.
  func parts(in range: Range<UInt64>) -> ArraySlice<HostPart> {
    self[index(endingAfter: range.lowerBound)...].prefix { $0.range.lowerBound < range.upperBound }
  }
}
