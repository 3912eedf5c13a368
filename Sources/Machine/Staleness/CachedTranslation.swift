import Paging

/// A cached translation and what was so when it was cached.
struct CachedTranslation<Guest: TranslationRegime> {
  let entry: TLBEntry<Guest.Rights>
  let fill: TranslationWatch.Fill
  let gva: GVA
  let linear: GVA
  let isTLBHit: Bool

  /// What is used.
  func page(_ permissions: Permissions) -> StaleTranslation.Page {
    StaleTranslation.Page(
      gpa: entry.gpa, hpa: entry.hpa, permissions: permissions, memoryType: fill.memoryType)
  }
}
