/// A format whose tables hold up to 512 entries of 8 bytes: nine address bits a level from bit 12 on,
/// and addresses of tables and pages in one field of the entry.
///
/// PAE, long mode, EPT and NPT are laid out so; what they add is which bits mean what.
public protocol NineBitFormat: PagingFormat where Entry == UInt64 {
  /// The bits of an entry that hold an address: M-1:12.
  var addressMask: UInt64 { get }
}

extension NineBitFormat {
  /// Nine bits a level, from bit 12.
  @inlinable
  @inline(__always)
  public func index(of address: UInt64, at level: Level) -> UInt64 {
    (address &>> UInt64(truncatingIfNeeded: 3 &+ 9 &* level.rawValue)) & 0x1FF
  }

  /// Bits M-1:12.
  @inlinable
  @inline(__always)
  public func table(in entry: UInt64, at level: Level) -> UInt64 { entry & addressMask }

  /// Bits M-1:12, M-1:21 or M-1:30.
  @inlinable
  @inline(__always)
  public func page(in entry: UInt64, at level: Level) -> PageFrame {
    let size = PageSize(shift: 3 &+ 9 &* level.rawValue)
    return PageFrame(base: entry & addressMask & ~size.offsetMask, size: size)
  }
}
