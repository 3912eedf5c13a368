public import Paging

/// A secure EPT entry.
public struct SecureEntry: Sendable, Hashable {
  /// Its state.
  public var state: SecureEntryState
  /// The page or the table's page.
  public var pfn: PFN
  /// The domain's epoch when it was blocked.
  var blockEpoch: UInt64 = 0
}
