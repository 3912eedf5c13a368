/// What changes a trust domain's private memory under its vCPUs in a stress run.
enum DomainChange: String, Sendable, CaseIterable {
  case toShared = "make shared"
  case toPrivate = "make private"
  case allAnew = "make all private, and anew"
  case reclaim
  case removePage = "block, track, remove"
  case unblock = "block, track, unblock"
  case demote = "block, track, demote"
  case promote = "block, track, promote"
  case augment
  case unmapShared = "unmap shared pages by the host"
  case zapShared = "zap shared pages"
  case invalidateAll = "invalidate all roots of a domain"
}
