import Paging

/// A policy that refuses a range of guest-physical addresses.
struct RangePolicy: MMUPolicy {
  let range: Range<GPA>

  init(refusing range: Range<GPA>) { self.range = range }

  /// A fault in the range ends with an error.
  func verdict(on fault: FaultInfo) -> FaultVerdict { range.contains(fault.gpa) ? .deny : .proceed }

  /// A page that holds a part of the range is mapped small, so that its neighbours stay reachable and
  /// none of them lets the range through.
  func mappingLevel(for fault: FaultInfo) -> Level {
    var level = fault.largestLevel
    while level > .pageTable {
      let size = PageSize(shift: 3 + 9 * level.rawValue)
      let first = fault.gpa.roundedDown(to: size)
      if range.upperBound <= first || first.wrappingAdd(size.bytes) <= range.lowerBound { break }
      level = level.below
    }
    return level
  }
}
