public import Paging

/// Which root a vCPU needs: CR3, or PAE's registers, and the guest state that all roles share.
@usableFromInline
struct ShadowRootKey: Hashable, Sendable {
  @usableFromInline var root: GuestTableRoot
  @usableFromInline var role: ShadowRole
  /// The PCID: equal tables under another one are another root to go back to (SPEC F14).
  @usableFromInline var tag: UInt16
  /// Whether no memslot holds the table, so that every access faults (SPEC F14).
  @usableFromInline var isDummy: Bool

  @inlinable
  init(root: GuestTableRoot, role: ShadowRole, tag: UInt16, isDummy: Bool) {
    self.root = root
    self.role = role
    self.tag = tag
    self.isDummy = isDummy
  }
}
