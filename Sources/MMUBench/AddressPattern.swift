/// How the addresses of a timed loop follow each other; the twin's loops do the same steps.
protocol AddressPattern {
  init()
  /// The offset of the next address in a span of 2^bits bytes.
  mutating func next(after last: UInt64, bits: UInt64) -> UInt64
}

/// The step of a linear congruential generator, whose high bits are good enough here.
@inline(__always)
private func scrambled(_ state: UInt64) -> UInt64 {
  state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
}

private let seed: UInt64 = 0x9E37_79B9_7F4A_7C15

/// Independent addresses: many walks are in flight at once.
struct RandomPattern: AddressPattern {
  private var state = seed

  @inline(__always)
  mutating func next(after last: UInt64, bits: UInt64) -> UInt64 {
    state = scrambled(state)
    return state &>> (64 &- bits)
  }
}

/// One page after the other.
struct SequentialPattern: AddressPattern {
  private var state: UInt64 = 0

  @inline(__always)
  mutating func next(after last: UInt64, bits: UInt64) -> UInt64 {
    state &+= 4096
    return state & (1 &<< bits &- 1)
  }
}

/// Each address depends on the last result: one walk at a time.
struct LatencyPattern: AddressPattern {
  private var state = seed

  @inline(__always)
  mutating func next(after last: UInt64, bits: UInt64) -> UInt64 {
    state = scrambled(state ^ last)
    return state &>> (64 &- bits)
  }
}
