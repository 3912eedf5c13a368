public import Paging

/// IA32_PAT: eight memory types, of which a leaf's PAT, PCD and PWT bits choose one.
///
/// **Source** Intel SDM Vol. 3A, "Page Attribute Table (PAT)".
@frozen
public struct PageAttributeTable: RawRepresentable, Hashable, Sendable {
  /// The register: eight bytes, the first lowest.
  public let rawValue: UInt64

  /// Takes the register as it is.
  @inlinable
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// After power-up: WB, WT, UC-, UC, twice.
  @inlinable
  public static var afterReset: Self { Self(rawValue: 0x0007_0406_0007_0406) }

  /// One entry, or `nil` where the byte is none. **Requires** 0...7; higher bits are ignored.
  public subscript(index: Int) -> PageAttribute? {
    PageAttribute(rawValue: UInt8(truncatingIfNeeded: rawValue >> UInt64((index & 7) * 8)))
  }

  /// Whether a write to the register would succeed: every byte is a type.
  public var isValid: Bool { (0..<8).allSatisfy { self[$0] != nil } }

  /// Which entry a leaf chooses: PAT is bit 7 of a 4 KiB leaf and bit 12 of a larger one.
  ///
  /// **Source** Intel SDM Vol. 3A, "Selecting a Memory Type from the PAT".
  public static func index(ofLeaf leaf: UInt64, at level: Level) -> Int {
    let attribute = leaf >> (level == .pageTable ? 7 : 12) & 1
    return Int(attribute << 2 | leaf >> 3 & 3)
  }
}
