public import Paging

/// Hears of what is taken from frames' translations, once the tables say it and before TLBs are flushed.
public protocol TranslationListener: AnyObject, Sendable {
  /// Something was done to the frames.
  func translationsChanged(
    _ kind: StaleTranslation.HostOperation.Kind, of frames: Range<GFN>)
}
