/// A named run of bits of an entry: the unit in which layouts are declared, checked, printed and
/// documented.
public struct BitField: Sendable, Hashable {
  /// The field's name, in the manual's spelling where it has one.
  public let name: String
  /// The bits, low to high. **Bits** 0...63.
  public let bits: ClosedRange<Int>
  /// What the field says.
  public let meaning: String
  /// Where that is written: a manual's section title, or `software` for bits hardware ignores.
  public let source: String
  /// For a software field: why hardware does not look at these bits.
  public let whyFree: String

  /// A field.
  public init(
    _ name: String, _ bits: ClosedRange<Int>, _ meaning: String, source: String,
    whyFree: String = ""
  ) {
    self.name = name
    self.bits = bits
    self.meaning = meaning
    self.source = source
    self.whyFree = whyFree
  }

  /// The field's bits as a mask; 0 for bits outside an entry.
  public var mask: UInt64 {
    guard bits.lowerBound >= 0, bits.upperBound <= 63 else { return 0 }
    return (~0 >> UInt64(63 - bits.upperBound + bits.lowerBound)) << UInt64(bits.lowerBound)
  }

  /// The field's value in an entry, shifted down.
  public func value(in entry: UInt64) -> UInt64 {
    guard mask != 0 else { return 0 }
    return (entry & mask) >> UInt64(bits.lowerBound)
  }
}

extension BitField: CustomStringConvertible {
  /// The name and the bits, such as `PA 51:12`.
  public var description: String { "\(name) \(bitsDescription)" }

  /// The bits as manuals print them: `51:12`, or `7`.
  public var bitsDescription: String {
    bits.count == 1 ? "\(bits.lowerBound)" : "\(bits.upperBound):\(bits.lowerBound)"
  }
}
