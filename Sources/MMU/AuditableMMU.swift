/// An MMU that can check its own tables.
public protocol AuditableMMU: VirtualMMU {
  /// What is wrong with the tables, one line each; empty where nothing is.
  ///
  /// **Requires** that no vCPU runs.
  func audit() -> [String]
}
