public import Paging

/// What a machine does for its plugins (SPEC H5).
///
/// Called on whatever thread a plugin calls from, while its hooks run: a conformer must not ask a
/// hook from here, since a plugin that is not thread-safe holds its lock.
public protocol PluginServices: Sendable {
  /// Shows a line of a plugin to the user.
  func log(_ message: String, severity: PluginSeverity, from plugin: String)
  /// Adds to a counter of a plugin.
  func count(_ counter: String, by amount: UInt64, from plugin: String)
  /// Fills bytes from guest memory; `false`, and nothing written, where some are missing.
  func read(_ gpa: GPA, into bytes: inout MutableRawSpan) -> Bool
  /// Copies bytes to guest memory; `false`, and nothing written, where some are missing or read-only.
  func write(_ bytes: borrowing RawSpan, to gpa: GPA) -> Bool
  /// What a vCPU's page tables say, without side effects; `nil` where unmapped or not permitted.
  func translate(_ gva: GVA, vcpu: Int, for access: AccessKind, isUser: Bool) -> GPA?
}
