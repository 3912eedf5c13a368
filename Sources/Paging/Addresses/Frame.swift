/// The number of a 4 KiB frame in one address space.
///
/// **Units** frames of 4096 bytes.
@frozen
public struct Frame<Kind: AddressKind>: RawRepresentable, Hashable, Comparable, Sendable {
  /// The frame number.
  public let rawValue: UInt64

  /// Wraps a frame number.
  @inlinable
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// Wraps a frame number.
  @inlinable
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }

  /// The address of the frame's first byte; bits above 2^52 frames are lost.
  @inlinable
  public var baseAddress: Address<Kind> { Address(rawValue &<< 12) }

  /// The frame a number of frames further, wrapping at 2^64.
  @inlinable
  public func wrappingAdd(_ frames: UInt64) -> Frame { Frame(rawValue &+ frames) }

  /// The first frame of the page of the given size that holds this one.
  @inlinable
  public func roundedDown(to size: PageSize) -> Frame {
    Frame(rawValue & ~(size.offsetMask &>> 12))
  }

  /// Orders by number.
  @inlinable
  public static func < (left: Frame, right: Frame) -> Bool { left.rawValue < right.rawValue }
}

extension Frame: CustomStringConvertible {
  /// The frame number in hex with `0x`.
  public var description: String { "0x" + String(rawValue, radix: 16) }
}

/// A guest frame number.
public typealias GFN = Frame<GuestPhysical>
/// A host frame number: a page of the machine's host-memory reservation.
public typealias PFN = Frame<HostPhysical>
