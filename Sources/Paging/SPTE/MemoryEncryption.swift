/// The address bits by which a host says how a page of memory is encrypted.
///
/// **Source** AMD APM Vol. 2, "Secure Memory Encryption".
@frozen
public struct MemoryEncryption: Sendable, Hashable {
  /// The bits; neither address nor reserved.
  public let mask: UInt64
  /// What they hold in entries that lead to tables and to guest memory; 0 elsewhere.
  public let value: UInt64

  /// Bits and value; checked when a layout is composed with them.
  @inlinable
  public init(mask: UInt64, value: UInt64) {
    self.mask = mask
    self.value = value
  }

  /// The C-bit: bit 47 where it lies above the addresses, else 51; `nil` where those reach it too.
  ///
  /// - Parameter physicalAddressWidth: MAXPHYADDR as encryption reduces it. **Units** bits.
  public static func sme(physicalAddressWidth: Int) -> MemoryEncryption? {
    guard physicalAddressWidth < 52 else { return nil }
    let bit = (1 as UInt64) << (physicalAddressWidth <= 47 ? 47 : 51)
    return MemoryEncryption(mask: bit, value: bit)
  }
}
