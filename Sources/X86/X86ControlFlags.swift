/// The switches of `X86Controls`.
@frozen
@usableFromInline
struct X86ControlFlags: OptionSet, Hashable, Sendable {
  @usableFromInline let rawValue: UInt32
  @inlinable
  init(rawValue: UInt32) { self.rawValue = rawValue }

  @inlinable
  static var writeProtect: Self { Self(rawValue: 1) }
  @inlinable
  static var executeDisable: Self { Self(rawValue: 2) }
  @inlinable
  static var smep: Self { Self(rawValue: 4) }
  @inlinable
  static var smap: Self { Self(rawValue: 8) }
  @inlinable
  static var reportsFetch: Self { Self(rawValue: 16) }
  @inlinable
  static var userKeys: Self { Self(rawValue: 32) }
  @inlinable
  static var supervisorKeys: Self { Self(rawValue: 64) }
  @inlinable
  static var shadowStacks: Self { Self(rawValue: 128) }

  /// Either register of protection keys.
  @inlinable
  static var keys: Self { Self(rawValue: 96) }
}
