public import Paging

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
