/// How grave a plugin's line is.
public enum PluginSeverity: Int32, Sendable, Hashable, CaseIterable {
  /// For the plugin's author.
  case debug = 0
  /// Normal.
  case info = 1
  /// Something is odd.
  case warning = 2
  /// Something failed.
  case error = 3
}
