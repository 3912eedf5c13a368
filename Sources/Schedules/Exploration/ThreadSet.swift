/// Some of a race's threads, each by its number below 16.
struct ThreadSet: Hashable, Sequence {
  private var bits: UInt16

  private init(bits: UInt16) { self.bits = bits }

  /// Nobody.
  init() { bits = 0 }

  /// One thread.
  init(_ thread: Int) { bits = 1 << UInt16(thread) }

  /// Those of whom something holds.
  init(_ threads: Range<Int>, where holds: (Int) -> Bool) {
    self.init()
    for thread in threads where holds(thread) { insert(thread) }
  }

  var isEmpty: Bool { bits == 0 }
  var count: Int { bits.nonzeroBitCount }
  var first: Int? { isEmpty ? nil : bits.trailingZeroBitCount }

  func contains(_ thread: Int) -> Bool { bits >> UInt16(thread) & 1 != 0 }
  mutating func insert(_ thread: Int) { bits |= 1 << UInt16(thread) }
  func union(_ other: ThreadSet) -> ThreadSet { ThreadSet(bits: bits | other.bits) }
  func intersection(_ other: ThreadSet) -> ThreadSet { ThreadSet(bits: bits & other.bits) }
  func subtracting(_ other: ThreadSet) -> ThreadSet { ThreadSet(bits: bits & ~other.bits) }

  /// In ascending order.
  func makeIterator() -> Iterator { Iterator(left: self) }

  struct Iterator: IteratorProtocol {
    fileprivate var left: ThreadSet

    mutating func next() -> Int? {
      guard let thread = left.first else { return nil }
      left.bits &= left.bits - 1
      return thread
    }
  }
}
