/// The memory type of a mapping.
///
/// **Source** Intel SDM Vol. 3A, "Memory Cache Control".
@frozen
public enum MemoryType: UInt8, Sendable, Hashable, CaseIterable {
  /// UC.
  case uncacheable = 0
  /// WC.
  case writeCombining = 1
  /// WT.
  case writeThrough = 4
  /// WP.
  case writeProtected = 5
  /// WB.
  case writeBack = 6
}
