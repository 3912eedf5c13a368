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

  /// The address with the bits that masking ignores replaced by copies of the highest kept bit.
  ///
  /// Bit 63 stays and must equal that bit: the canonical check that follows sees to it.
  ///
  /// **Source** Intel SDM Vol. 3A, "Linear-Address Masking".
  @inlinable
  @inline(__always)
  public func untagged(_ address: GVA, for access: X86Access) -> GVA {
    special & 0xFFFF != 0 ? GVA(masked(address.rawValue, for: access)) : address
  }

  /// Why an address that is no longer tagged is refused, or `nil`.
  @inlinable
  public func refusal(of address: GVA, for access: X86Access) -> FaultCause? {
    refusal(of: address, for: access, signShift: signShift)
  }

  // PERF: walk.plain.random; a format knows its width where the walk is compiled.
  @inlinable
  @inline(__always)
  func refusal(of address: GVA, for access: X86Access, signShift: UInt64) -> FaultCause? {
    if special &>> 16 != 0, lassForbids(address.rawValue, for: access) { return .forbiddenAddress }
    return Self.isCanonical(address.rawValue, signShift) ? nil : .nonCanonical
  }

  @inlinable
  @inline(__always)
  static func isCanonical(_ address: UInt64, _ signShift: UInt64) -> Bool {
    let shifted = Int64(bitPattern: address &<< signShift)
    return UInt64(bitPattern: shifted &>> Int64(truncatingIfNeeded: signShift)) == address
  }

  @usableFromInline
  func masked(_ address: UInt64, for access: X86Access) -> UInt64 {
    let width = (address &>> 63 == 0 ? special : special &>> 8) & 0xFF
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
    guard lass else { return false }
    let isUpper = address >> 63 != 0
    if access.isUser { return isUpper }
    if isUpper { return false }
    if access.kind == .fetch { return true }
    return smap && (access.isImplicit || !access.alignmentCheck)
  }
}
