public import Paging
public import X86

/// What long mode asks of a linear address before any walk: canonical form (SPEC W13), LASS (W20) and
/// linear-address masking (W1).
@frozen
public struct LinearAddressRules: Hashable, Sendable {
  /// 64 minus the width of a linear address: 16 or 7.
  @usableFromInline let signShift: UInt64
  /// 0 where neither LASS nor LAM is on, so that the common case pays one test. **Bits** 7:0 and 15:8
  /// the pointer width under LAM for bit 63 = 0 and = 1 (48, 57, or 0 where LAM is off), 16 LASS, 17
  /// SMAP under LASS.
  @usableFromInline let special: UInt64

  /// The rules under the given registers.
  public init(_ registers: X86Registers, _ features: X86Features, width: Int) {
    signShift = UInt64(64 - width)
    var special: UInt64 = 0
    if features.lass, registers.cr4.contains(.linearAddressSpaceSeparation) {
      special |= 1 << 16
      if features.smap, registers.cr4.contains(.supervisorAccessPrevention) {
        special |= 1 << 17
      }
    }
    if features.lam {
      // CR3.LAM_U57 (bit 61) wins over LAM_U48 (bit 62).
      special |= registers.cr3 & 1 << 61 != 0 ? 57 : registers.cr3 & 1 << 62 != 0 ? 48 : 0
      if registers.cr4.contains(.supervisorLinearAddressMasking) { special |= UInt64(width) << 8 }
    }
    self.special = special
  }

  private var lass: Bool { special & 1 << 16 != 0 }
  private var smap: Bool { special & 1 << 17 != 0 }

  /// Why the address is refused, or `nil`.
  @inlinable
  public func refusal(of address: GVA, for access: X86Access) -> FaultCause? {
    refusal(of: address, for: access, signShift: signShift)
  }

  // PERF: walk.plain.random; a format knows its width where the walk is compiled.
  @inlinable
  @inline(__always)
  func refusal(of address: GVA, for access: X86Access, signShift: UInt64) -> FaultCause? {
    if special != 0 { return specialRefusal(of: address.rawValue, for: access) }
    return Self.isCanonical(address.rawValue, signShift) ? nil : .nonCanonical
  }

  @inlinable
  @inline(__always)
  static func isCanonical(_ address: UInt64, _ signShift: UInt64) -> Bool {
    let shifted = Int64(bitPattern: address &<< signShift)
    return UInt64(bitPattern: shifted &>> Int64(truncatingIfNeeded: signShift)) == address
  }

  @usableFromInline
  func specialRefusal(of address: UInt64, for access: X86Access) -> FaultCause? {
    if lass, lassForbids(address, for: access) { return .forbiddenAddress }
    var address = address
    let width = (address &>> 63 == 0 ? special : special &>> 8) & 0xFF
    if width != 0, access.kind != .fetch {
      // The bits from the width up to 62 are ignored; bit 63 must equal the highest bit kept.
      guard address &>> 63 == (address &>> (width &- 1)) & 1 else { return .nonCanonical }
      let shift = 64 &- width
      address = UInt64(bitPattern: Int64(bitPattern: address &<< shift) &>> Int64(shift))
    }
    return Self.isCanonical(address, signShift) ? nil : .nonCanonical
  }

  /// **Source** Intel SDM Vol. 3A, "Linear-Address Space Separation".
  private func lassForbids(_ address: UInt64, for access: X86Access) -> Bool {
    let isUpper = address >> 63 != 0
    if access.isUser { return isUpper }
    if isUpper { return false }
    if access.kind == .fetch { return true }
    if access.isImplicit { return true }
    return smap && !access.alignmentCheck
  }
}
