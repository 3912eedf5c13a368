import Paging

/// A policy of stored answers for one frame.
struct FramePolicy: MMUPolicy {
  var gfn = GFN(5)
  var verdict: FaultVerdict = .proceed
  var withheld: Permissions = []
  var level: Level?
  var type: MemoryType?

  func verdict(on fault: FaultInfo) -> FaultVerdict {
    fault.gpa.frame == gfn ? verdict : .proceed
  }
  func mappingLevel(for fault: FaultInfo) -> Level { level ?? fault.largestLevel }
  func withheldPermissions(gfn: GFN) -> Permissions { gfn == self.gfn ? withheld : [] }
  func memoryType(gfn: GFN) -> (type: MemoryType, ignoresPAT: Bool)? {
    gfn == self.gfn ? type.map { ($0, false) } : nil
  }
}
