public import Paging
public import X86TDX

/// An MMU whose guest is a trust domain: what the host asks of the TDX module, and the guest by itself.
///
/// Each call keeps the mirror in step with what the module does; a refusal changes neither.
public protocol TrustDomain: PrivateMemoryMMU {
  /// The module.
  var module: TDXModule { get }

  /// Adds pages with what the shared pages of their frames hold, before the domain is finalized
  /// (TDH.MEM.PAGE.ADD).
  func add(_ range: Range<GFN>) throws(TDXError)
  /// Ends the building of the domain (TDH.MR.FINALIZE).
  func finalize() throws(TDXError)
  /// Adds a page that the guest must accept (TDH.MEM.PAGE.AUG).
  func augment(_ gfn: GFN, _ level: Level) throws(TDXError)
  /// TDH.MEM.RANGE.BLOCK.
  func block(_ gfn: GFN, _ level: Level) throws(TDXError)
  /// TDH.MEM.RANGE.UNBLOCK.
  func unblock(_ gfn: GFN, _ level: Level) throws(TDXError)
  /// TDH.MEM.TRACK, and every vCPU out.
  func track() throws(TDXError)
  /// TDH.MEM.PAGE.REMOVE; the page is cleared.
  func remove(_ gfn: GFN, _ level: Level) throws(TDXError)
  /// TDH.MEM.PAGE.PROMOTE of a table that is blocked and tracked.
  func promote(_ gfn: GFN, _ level: Level) throws(TDXError)
  /// TDH.MEM.PAGE.DEMOTE of a page that is blocked and tracked.
  func demote(_ gfn: GFN, _ level: Level) throws(TDXError)
  /// Takes private pages away in the right order: block, track, every vCPU out, remove; then the tables
  /// that are empty.
  func reclaim(_ range: Range<GFN>) throws(TDXError)

  /// The guest accepts a page (TDG.MEM.PAGE.ACCEPT). A page that is not there exits to the host, which
  /// adds it.
  ///
  /// - Returns: how often the vCPU left the guest for it.
  func accept(_ gfn: GFN, _ level: Level) throws(TDXError) -> Int
  /// What the guest is told of its last exit, where that was a #VE (TDG.VP.VEINFO.GET).
  func exceptionInformation(of cpu: CPU) -> VirtualizationExceptionArea?
}
