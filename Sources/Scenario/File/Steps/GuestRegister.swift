/// A register that a step may set.
public enum GuestRegister: String, Sendable, CaseIterable {
  /// A control register, IA32_EFER, or the keys of user and supervisor pages.
  case cr0, cr3, cr4, efer, pkru, pkrs

  /// What fits it.
  var range: ClosedRange<UInt64> {
    self == .pkru || self == .pkrs ? 0...0xFFFF_FFFF : 0...UInt64.max
  }
}
