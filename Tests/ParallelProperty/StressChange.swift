/// What changes tables under the vCPUs of a stress run.
package enum StressChange: String, Sendable, CaseIterable {
  case zap
  case zapAll = "zap all"
  case age
  case unmapHost = "unmap by the host"
  case dirtyPages = "look at the log"
  case clearDirtyPages = "clear in two steps"
  case rings = "harvest and reset the rings"
  case startOrStopLog = "start or stop the log"
  case invalidateAll = "invalidate all roots"
  case split
  case collapse
  case trackWrites = "track writes, or no more"
  case slots = "add or remove a slot"
}
