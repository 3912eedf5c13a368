/// A kind of address: which space a number counts bytes in.
///
/// Only the four spaces below exist in the package; a conformer is a name, never a value.
public protocol AddressKind: Sendable {
  /// The short name of an address of this kind, such as `GPA`.
  static var addressName: String { get }
}

/// The space a guest program's pointers live in (linear addresses on x86).
public enum GuestVirtual: AddressKind {
  /// `GVA`.
  public static var addressName: String { "GVA" }
}

/// The space the guest believes to be physical memory.
public enum GuestPhysical: AddressKind {
  /// `GPA`.
  public static var addressName: String { "GPA" }
}

/// The space of the machine's one host-memory reservation.
public enum HostPhysical: AddressKind {
  /// `HPA`.
  public static var addressName: String { "HPA" }
}

/// A byte address of one kind.
///
/// **Units** bytes. Arithmetic never crosses kinds, and never traps: the wrapping form says so in
/// its name and the checked form returns an optional.
@frozen
public struct Address<Kind: AddressKind>: RawRepresentable, Hashable, Comparable, Sendable {
  /// The address as a number.
  public let rawValue: UInt64

  /// Wraps a number; every 64-bit pattern is an address of every kind.
  @inlinable
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// Wraps a number; every 64-bit pattern is an address of every kind.
  @inlinable
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }

  /// The 4 KiB frame that holds this address.
  @inlinable
  public var frame: Frame<Kind> { Frame(rawValue &>> 12) }

  /// The bytes between the start of the page of the given size and this address.
  @inlinable
  public func offset(in size: PageSize) -> UInt64 { rawValue & size.offsetMask }

  /// The address rounded down to a page of the given size.
  @inlinable
  public func roundedDown(to size: PageSize) -> Address { Address(rawValue & ~size.offsetMask) }

  /// The address rounded up to a page of the given size, or `nil` where that passes 2^64.
  @inlinable
  public func roundedUp(to size: PageSize) -> Address? {
    adding(size.offsetMask).map { $0.roundedDown(to: size) }
  }

  /// This address moved up by a number of bytes, wrapping at 2^64 as hardware does.
  @inlinable
  public func wrappingAdd(_ bytes: UInt64) -> Address { Address(rawValue &+ bytes) }

  /// This address moved up by a number of bytes, or `nil` where that passes 2^64.
  @inlinable
  public func adding(_ bytes: UInt64) -> Address? {
    let (sum, overflow) = rawValue.addingReportingOverflow(bytes)
    return overflow ? nil : Address(sum)
  }

  /// Orders by number.
  @inlinable
  public static func < (left: Address, right: Address) -> Bool { left.rawValue < right.rawValue }
}

extension Address: CustomStringConvertible {
  /// The address in hex with `0x`.
  public var description: String { "0x" + String(rawValue, radix: 16) }
}

/// A guest virtual (linear) address.
public typealias GVA = Address<GuestVirtual>
/// A guest physical address.
public typealias GPA = Address<GuestPhysical>
/// A host physical address: an offset into the machine's host-memory reservation.
public typealias HPA = Address<HostPhysical>
