public import Paging

/// How a trust domain's guest physical addresses tell private from shared memory.
///
/// **Source** Intel TDX Module Base Architecture Specification, "Guest Physical Address Space".
@frozen
public struct TDXAddressing: Hashable, Sendable {
  /// The width of a guest physical address. **Units** 48 or 52 bits.
  public let width: Int

  /// Addresses of 48 bits, shared by bit 47, or of 52 bits, shared by bit 51.
  public init(isWide: Bool) { width = isWide ? 52 : 48 }

  /// The bit that makes an address shared.
  @inlinable
  public var sharedBit: UInt64 { 1 &<< UInt64(width &- 1) }

  /// Whether an address is of shared memory, which the shared EPT translates.
  @inlinable
  public func isShared(_ gpa: GPA) -> Bool { gpa.rawValue & sharedBit != 0 }

  /// The address without the shared bit: memslots know nothing of it.
  @inlinable
  public func stripped(_ gpa: GPA) -> GPA { GPA(gpa.rawValue & ~sharedBit) }

  /// Whether an address has bits above the width; no walk finds it.
  @inlinable
  public func isTooWide(_ gpa: GPA) -> Bool { gpa.rawValue &>> UInt64(width) != 0 }
}

extension MMIOMask {
  /// The default of shared EPT (SPEC E7): no rights, and bit 63 clear, so that the guest gets a #VE
  /// and asks the host itself.
  public static var tdx: MMIOMask { MMIOMask(value: 0, mask: 1 << 63 | 7, accessMask: 0) }
}
