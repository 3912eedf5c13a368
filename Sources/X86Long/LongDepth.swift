/// How many levels a long-mode table has.
public protocol LongDepth: Sendable {
  /// 4 or 5.
  static var levels: Int { get }
}

/// Four levels, 48-bit linear addresses.
public enum FourLevels: LongDepth {
  /// 4.
  @inlinable
  public static var levels: Int { 4 }
}

/// Five levels, 57-bit linear addresses (CR4.LA57).
public enum FiveLevels: LongDepth {
  /// 5.
  @inlinable
  public static var levels: Int { 5 }
}
