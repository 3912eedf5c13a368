public import Paging
public import X86

/// What long mode asks of a linear address before any walk: canonical form (SPEC W13), LASS (W20) and
/// linear-address masking (W1).
@frozen
public struct LinearAddressRules: Hashable, Sendable {
  /// 64 minus the width of a linear address: 16 or 7.
  @usableFromInline let signShift: UInt64
  /// Whether any LAM mode is on; the common case pays one test.
  @usableFromInline let masks: Bool
  @usableFromInline let lass: Bool
  @usableFromInline let smap: Bool
  /// The pointer width under LAM for bit 63 = 0 and = 1: 48, 57, or 0 where LAM is off.
  @usableFromInline let userMaskingWidth: UInt64
  @usableFromInline let supervisorMaskingWidth: UInt64

  /// The rules under the given registers.
  public init(_ registers: X86Registers, _ features: X86Features, width: Int) {
    signShift = UInt64(64 - width)
    lass = features.lass && registers.cr4.contains(.linearAddressSpaceSeparation)
    smap = features.smap && registers.cr4.contains(.supervisorAccessPrevention)
    if features.lam {
      // CR3.LAM_U57 (bit 61) wins over LAM_U48 (bit 62).
      userMaskingWidth =
        registers.cr3 & 1 << 61 != 0 ? 57 : registers.cr3 & 1 << 62 != 0 ? 48 : 0
      supervisorMaskingWidth =
        registers.cr4.contains(.supervisorLinearAddressMasking) ? UInt64(width) : 0
    } else {
      userMaskingWidth = 0
      supervisorMaskingWidth = 0
    }
    masks = userMaskingWidth != 0 || supervisorMaskingWidth != 0
  }

  /// The address with the bits that masking ignores replaced by copies of the highest kept bit.
  ///
  /// Bit 63 stays and must equal that bit: the canonical check that follows sees to it.
  ///
  /// **Source** Intel SDM Vol. 3A, "Linear-Address Masking".
  @inlinable
  @inline(__always)
  public func untagged(_ address: GVA, for access: X86Access) -> GVA {
    masks ? GVA(masked(address.rawValue, for: access)) : address
  }

  /// Why an address that is no longer tagged is refused, or `nil`.
  @inlinable
  @inline(__always)
  public func refusal(of address: GVA, for access: X86Access) -> FaultCause? {
    if lass, lassForbids(address.rawValue, for: access) { return .forbiddenAddress }
    return isCanonical(address.rawValue) ? nil : .nonCanonical
  }

  @inlinable
  @inline(__always)
  func isCanonical(_ address: UInt64) -> Bool {
    UInt64(bitPattern: Int64(bitPattern: address &<< signShift) &>> Int64(signShift)) == address
  }

  @usableFromInline
  func masked(_ address: UInt64, for access: X86Access) -> UInt64 {
    let width = address &>> 63 == 0 ? userMaskingWidth : supervisorMaskingWidth
    guard width != 0, access.kind != .fetch else { return address }
    let shift = 64 &- width
    let extended = UInt64(bitPattern: Int64(bitPattern: address &<< shift) &>> Int64(shift))
    return extended & ~(1 << 63) | address & 1 << 63
  }

  /// Whether address-space separation refuses; an implicit access acts as if RFLAGS.AC were clear,
  /// and supervisor data is only looked at while CR4.SMAP=1.
  ///
  /// **Source** Intel SDM Vol. 3A, "Linear-Address Space Separation".
  @usableFromInline
  func lassForbids(_ address: UInt64, for access: X86Access) -> Bool {
    let isUpper = address >> 63 != 0
    if access.isUser { return isUpper }
    if isUpper { return false }
    if access.kind == .fetch { return true }
    return smap && (access.isImplicit || !access.alignmentCheck)
  }
}
