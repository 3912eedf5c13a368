import Notation

/// Random numbers that a seed repeats, and the choices that tests make with them.
package struct SeededGenerator: RandomNumberGenerator {
  private var numbers: SplitMix64

  /// The generator that a seed names.
  package init(seed: UInt64) { numbers = SplitMix64(seed: seed) }

  /// The next 64 bits.
  package mutating func next() -> UInt64 { numbers.next() }

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
