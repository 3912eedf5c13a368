/// Random numbers that a seed repeats: SplitMix64.
///
/// **Source** Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators".
package struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  /// The generator that a seed names.
  package init(seed: UInt64) { state = seed }

  /// The next 64 bits.
  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// True once in `count` times.
  package mutating func oneIn(_ count: UInt64) -> Bool { next() % count == 0 }

  /// True in half of the cases.
  package mutating func flip() -> Bool { next() & 1 == 0 }

  /// A number below `count`.
  package mutating func below(_ count: Int) -> Int { Int(next() % UInt64(count)) }

  /// One of the elements. **Requires** at least one.
  package mutating func pick<Element>(_ elements: [Element]) -> Element {
    elements[below(elements.count)]
  }
}
