/// The size of a page, always a power of two.
@frozen
public struct PageSize: Hashable, Comparable, Sendable {
  /// The number of offset bits: the size is 2^shift bytes.
  public let shift: Int

  /// A page of 2^shift bytes.
  @inlinable
  public init(shift: Int) { self.shift = shift }

  /// 4 KiB.
  @inlinable
  public static var size4KiB: PageSize { PageSize(shift: 12) }
  /// 2 MiB.
  @inlinable
  public static var size2MiB: PageSize { PageSize(shift: 21) }
  /// 4 MiB, of two-level paging with PSE.
  @inlinable
  public static var size4MiB: PageSize { PageSize(shift: 22) }
  /// 1 GiB.
  @inlinable
  public static var size1GiB: PageSize { PageSize(shift: 30) }

  /// **Units** bytes.
  @inlinable
  public var bytes: UInt64 { 1 &<< UInt64(shift) }

  /// The bits of an address inside the page.
  @inlinable
  public var offsetMask: UInt64 { bytes &- 1 }

  /// **Units** 4 KiB frames.
  @inlinable
  public var frames: UInt64 { bytes &>> 12 }

  /// Orders by size.
  @inlinable
  public static func < (left: PageSize, right: PageSize) -> Bool { left.shift < right.shift }
}

extension PageSize: CustomStringConvertible {
  /// The size with a binary unit, such as `2 MiB`.
  public var description: String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    let unit = min(max(shift / 10, 0), units.count - 1)
    return "\(1 << (shift - unit * 10)) \(units[unit])"
  }
}
