public import Paging

/// Brings pages of guest memory that are not on this host yet.
public protocol MissingPageHandler: Sendable {
  /// Brings a page: asked once for each, on the thread that needs it, for several pages at once.
  func page(_ gfn: GFN) -> MissingPageAnswer
}
