/// The rules that change what a shadow entry may hold.
@frozen
public struct ShadowRules: Sendable, Hashable {
  /// Supervisor writes respect read-only pages (CR0.WP).
  public var writeProtect: Bool
  /// The supervisor may not execute user pages.
  public var smep: Bool
  /// The supervisor's use of user pages is judged anew at each access (SMAP).
  public var smap: Bool
  /// Pages have protection keys.
  public var protectionKeys: Bool
  /// Entries can forbid execution (EFER.NXE).
  public var executeDisable: Bool
  /// The processor marks the entries that it uses, where it can (EPTP bit 6).
  public var marksEntries: Bool
  /// The guest runs inside the guest: what it writes is not what the host's processor would log.
  public var isNested: Bool

  /// Rules.
  @inlinable
  public init(
    writeProtect: Bool, smep: Bool, smap: Bool, protectionKeys: Bool, executeDisable: Bool,
    marksEntries: Bool = true, isNested: Bool = false
  ) {
    self.marksEntries = marksEntries
    self.isNested = isNested
    self.writeProtect = writeProtect
    self.smep = smep
    self.smap = smap
    self.protectionKeys = protectionKeys
    self.executeDisable = executeDisable
  }
}
