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

/// No machine: lines and counts go nowhere, there is no memory and nothing is mapped.
public struct NoPluginServices: PluginServices {
  /// No services.
  public init() {}
  /// Drops the line.
  public func log(_ message: String, severity: PluginSeverity, from plugin: String) {}
  /// Drops the count.
  public func count(_ counter: String, by amount: UInt64, from plugin: String) {}
  /// There is no memory.
  public func read(_ gpa: GPA, into bytes: inout MutableRawSpan) -> Bool { false }
  /// There is no memory.
  public func write(_ bytes: borrowing RawSpan, to gpa: GPA) -> Bool { false }
  /// Nothing is mapped.
  public func translate(_ gva: GVA, vcpu: Int, for access: AccessKind, isUser: Bool) -> GPA? {
    nil
  }
}
