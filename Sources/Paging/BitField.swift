/// One named field of an entry layout.
///
/// Layouts are tables of these; masks, printers and documentation come from the tables.
public struct BitField: Sendable, Hashable {
  /// The short name as manuals print it, such as `R/W`.
  public let name: String
  /// **Bits** lowest...highest, counted from 0.
  public let bits: ClosedRange<Int>
  /// What the field says, in a few words.
  public let meaning: String
  /// Where that is laid down: the manual and its section's title.
  public let source: String
  /// Why software may use these bits; empty where hardware defines them.
  public let whyFree: String

  /// A field. **Requires** bits within 0...63.
  public init(
    _ name: String, _ bits: ClosedRange<Int>, _ meaning: String, source: String,
    whyFree: String = ""
  ) {
    precondition(bits.lowerBound >= 0 && bits.upperBound <= 63, "an entry has 64 bits")
    self.name = name
    self.bits = bits
    self.meaning = meaning
    self.source = source
    self.whyFree = whyFree
  }

  /// The field's bits, in place.
  public var mask: UInt64 {
    (~0 >> UInt64(63 - (bits.upperBound - bits.lowerBound))) << UInt64(bits.lowerBound)
  }

  /// The field's value in an entry, moved down to bit 0.
  public func value(in entry: UInt64) -> UInt64 { (entry & mask) >> UInt64(bits.lowerBound) }
}

extension BitField: CustomStringConvertible {
  /// The name and the bits, such as `PA 51:12`.
  public var description: String { "\(name) \(bitsDescription)" }

  /// The bits as manuals print them: `51:12`, or `7`.
  public var bitsDescription: String {
    bits.count == 1 ? "\(bits.lowerBound)" : "\(bits.upperBound):\(bits.lowerBound)"
  }
}
