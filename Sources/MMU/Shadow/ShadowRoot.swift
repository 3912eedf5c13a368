public import Paging

/// A root that a vCPU holds.
@usableFromInline
struct ShadowRoot: Sendable {
  @usableFromInline var key: ShadowRootKey
  @usableFromInline var page: PFN

  @inlinable
  init(key: ShadowRootKey, page: PFN) {
    self.key = key
    self.page = page
  }
}
