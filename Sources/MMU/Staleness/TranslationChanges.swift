public import Paging
public import Synchronization

/// Whom an MMU tells of what it does to translations: nobody, unless somebody looks for stale ones.
@usableFromInline
final class TranslationChanges: Sendable {
  /// The listener is kept alive by its machine.
  private struct Weak: Sendable { weak var listener: (any TranslationListener)? }

  private let listener = Guarded(Weak())
  @usableFromInline let hasListener = Atomic(false)

  func tell(_ listener: any TranslationListener) {
    self.listener.withLock { $0.listener = listener }
    hasListener.store(true, ordering: .releasing)
  }

  @usableFromInline
  func note(_ kind: StaleTranslation.HostOperation.Kind, _ frames: Range<GFN>) {
    listener.withLock { $0.listener }?.translationsChanged(kind, of: frames)
  }
}

extension GuestMemory {
  /// Has MMUs of this memory tell what they do to translations from now on. The memory does not keep the
  /// listener alive.
  public func tellChanges(to listener: some TranslationListener) { changes.tell(listener) }

  /// Tells of a change, where somebody listens.
  @inlinable
  func noteChange(
    _ kind: @autoclosure () -> StaleTranslation.HostOperation.Kind,
    of frames: @autoclosure () -> Range<GFN>
  ) {
    if changes.hasListener.load(ordering: .relaxed) { changes.note(kind(), frames()) }
  }
}
