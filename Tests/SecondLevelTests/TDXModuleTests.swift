import Paging
import Testing
import X86TDX

@Suite("TDX module")
struct TDXModuleTests {
  /// A finalized domain with tables down to frame 0x200.
  static func domain(finalized: Bool = true) -> TDXModule {
    let module = TDXModule(addressing: TDXAddressing(isWide: false))
    #expect(module.septAdd(GFN(0), Level(4), page: PFN(1)) == .success)
    #expect(module.septAdd(GFN(0), Level(3), page: PFN(2)) == .success)
    #expect(module.septAdd(GFN(0x200), Level(2), page: PFN(3)) == .success)
    if finalized { #expect(module.finalize() == .success) }
    return module
  }

  static let frame = GFN(0x205)

  @Test("E16 the shared bit is 47 or 51, the width 48 or 52")
  func addressing() {
    for (isWide, width, bit) in [(false, 48, 47), (true, 52, 51)] {
      let addressing = TDXAddressing(isWide: isWide)
      #expect(addressing.width == width && addressing.sharedBit == 1 << UInt64(bit))
      let shared = GPA(1 << UInt64(bit) | 0x1234)
      #expect(addressing.isShared(shared) && addressing.stripped(shared) == GPA(0x1234))
      #expect(!addressing.isShared(GPA(0x1234)))
      #expect(addressing.isTooWide(GPA(1 << UInt64(width))) && !addressing.isTooWide(shared))
    }
  }

  @Test("E16 ADD before finalization, AUG after, each refused at the other time")
  func addAndAugment() {
    let module = Self.domain(finalized: false)
    #expect(module.pageAug(Self.frame, .pageTable, page: PFN(9)) == .opStateIncorrect)
    #expect(module.pageAdd(Self.frame, page: PFN(9)) == .success)
    #expect(module.entry(Self.frame, .pageTable).state == .mapped)
    #expect(module.finalize() == .success)
    #expect(module.finalize() == .opStateIncorrect)
    #expect(module.pageAdd(GFN(0x206), page: PFN(10)) == .opStateIncorrect)
    #expect(module.pageAug(GFN(0x206), .pageTable, page: PFN(10)) == .success)
    #expect(module.entry(GFN(0x206), .pageTable).state == .pending)
    #expect(module.pageAug(GFN(0x206), .pageTable, page: PFN(11)) == .eptEntryNotFree)
    #expect(module.pageAug(GFN(0x207), .pageTable, page: PFN(10)) == .eptPageNotFree)
    #expect(module.pageAug(GFN(0x4_0000), .pageTable, page: PFN(12)) == .eptWalkFailed)
    #expect(module.pageAug(GFN(1 << 35), .pageTable, page: PFN(12)) == .operandInvalid)
    #expect(module.pageAug(GFN(0x201), .directory, page: PFN(12)) == .operandInvalid)
    #expect(module.septAdd(GFN(0x200), Level(2), page: PFN(13)) == .eptEntryNotFree)
  }

  @Test("E16 a pending page is a #VE until it is accepted, zeroed, once")
  func accept() {
    let module = Self.domain()
    let gpa = Self.frame.baseAddress.wrappingAdd(0x10)
    #expect(module.translate(gpa, .read) == .failure(.violation(gpa, .pageTable)))
    #expect(module.pageAccept(Self.frame, .pageTable) { _ in } == .eptEntryFree)
    #expect(module.pageAug(Self.frame, .pageTable, page: PFN(9)) == .success)
    #expect(module.translate(gpa, .read) == .failure(.pending(gpa, .pageTable)))
    var zeroed: [PFN] = []
    #expect(module.pageAccept(GFN(0x200), .directory) { zeroed.append($0) } == .pageSizeMismatch)
    #expect(module.pageAccept(Self.frame, .pageTable) { zeroed.append($0) } == .success)
    #expect(zeroed == [PFN(9)])
    #expect(module.translate(gpa, .write) == .success(HPA(0x9010)))
    #expect(module.pageAccept(Self.frame, .pageTable) { _ in } == .pageAlreadyAccepted)
  }

  @Test(
    "E16 BLOCK, TRACK, every vCPU out, REMOVE; in another order the module says what is missing")
  func remove() {
    let module = Self.domain()
    #expect(module.pageAug(Self.frame, .pageTable, page: PFN(9)) == .success)
    #expect(module.pageAccept(Self.frame, .pageTable) { _ in } == .success)
    #expect(module.pageRemove(Self.frame, .pageTable) == .gpaRangeNotBlocked)
    #expect(module.rangeUnblock(Self.frame, .pageTable) == .gpaRangeNotBlocked)
    module.enter(vcpu: 0)
    #expect(module.rangeBlock(Self.frame, .pageTable) == .success)
    #expect(module.entry(Self.frame, .pageTable).state == .blocked)
    #expect(module.rangeBlock(Self.frame, .pageTable) == .gpaRangeAlreadyBlocked)
    let gpa = Self.frame.baseAddress
    #expect(module.translate(gpa, .read) == .failure(.violation(gpa, .pageTable)))
    #expect(module.pageRemove(Self.frame, .pageTable) == .tlbTrackingNotDone)
    #expect(module.track() == .success)
    // The vCPU is still inside since before.
    #expect(module.pageRemove(Self.frame, .pageTable) == .tlbTrackingNotDone)
    #expect(module.track() == .previousTLBEpochBusy)
    module.enter(vcpu: 0)
    #expect(module.pageRemove(Self.frame, .pageTable) == .success)
    #expect(module.entry(Self.frame, .pageTable).state == .free)
    #expect(module.pageRemove(Self.frame, .pageTable) == .eptEntryFree)
    // The page may be used again.
    #expect(module.pageAug(Self.frame, .pageTable, page: PFN(9)) == .success)
  }

  @Test("E16 UNBLOCK undoes a block of each state; tables go when they are empty")
  func unblockAndTables() {
    let module = Self.domain()
    #expect(module.pageAug(Self.frame, .pageTable, page: PFN(9)) == .success)
    #expect(module.rangeBlock(Self.frame, .pageTable) == .success)
    #expect(module.entry(Self.frame, .pageTable).state == .pendingBlocked)
    #expect(module.pageAccept(Self.frame, .pageTable) { _ in } == .eptEntryStateIncorrect)
    #expect(module.rangeUnblock(Self.frame, .pageTable) == .tlbTrackingNotDone)
    #expect(module.track() == .success)
    #expect(module.rangeUnblock(Self.frame, .pageTable) == .success)
    #expect(module.entry(Self.frame, .pageTable).state == .pending)
    let table = GFN(0x200)
    #expect(module.septRemove(table, .directory) == .gpaRangeNotBlocked)
    #expect(module.rangeBlock(table, .directory) == .success)
    #expect(module.entry(table, .directory).state == .nonLeafBlocked)
    #expect(module.track() == .success)
    #expect(module.septRemove(table, .directory) == .eptEntryStateIncorrect, "it is not empty")
    #expect(module.rangeBlock(Self.frame, .pageTable) == .success)
    #expect(module.track() == .success)
    #expect(module.pageRemove(Self.frame, .pageTable) == .success)
    #expect(module.septRemove(table, .directory) == .success)
    #expect(module.entryCount == 2)
  }

  @Test("E16 a write-blocked page is read, not written")
  func blockWrites() {
    let module = Self.domain()
    let gpa = Self.frame.baseAddress
    #expect(module.pageAug(Self.frame, .pageTable, page: PFN(9)) == .success)
    #expect(module.blockWrites(Self.frame) == .eptEntryStateIncorrect)
    #expect(module.pageAccept(Self.frame, .pageTable) { _ in } == .success)
    #expect(module.blockWrites(Self.frame) == .success)
    #expect(module.translate(gpa, .read) == .success(HPA(0x9000)))
    #expect(module.translate(gpa, .write) == .failure(.violation(gpa, .pageTable)))
    #expect(module.unblockWrites(Self.frame) == .tlbTrackingNotDone)
    #expect(module.track() == .success)
    #expect(module.unblockWrites(Self.frame) == .success)
    #expect(module.translate(gpa, .write) == .success(HPA(0x9000)))
  }

  @Test("E16 DEMOTE and PROMOTE keep every translation, and want blocked, tracked, whole runs")
  func sizes() {
    let module = TDXModule(addressing: TDXAddressing(isWide: false))
    #expect(module.septAdd(GFN(0), Level(4), page: PFN(1)) == .success)
    #expect(module.septAdd(GFN(0), Level(3), page: PFN(2)) == .success)
    #expect(module.finalize() == .success)
    let first = GFN(0x200)
    #expect(module.pageAug(first, .directory, page: PFN(0x400)) == .success)
    #expect(module.pageAccept(first, .directory) { _ in } == .success)
    let gpa = GPA(0x20_5123)
    #expect(module.translate(gpa, .write) == .success(HPA(0x40_5123)))
    #expect(module.pageDemote(first, .directory, page: PFN(5)) == .gpaRangeNotBlocked)
    #expect(module.rangeBlock(first, .directory) == .success)
    #expect(module.pageDemote(first, .directory, page: PFN(5)) == .tlbTrackingNotDone)
    #expect(module.track() == .success)
    #expect(module.pageDemote(first, .directory, page: PFN(5)) == .success)
    #expect(module.translate(gpa, .write) == .success(HPA(0x40_5123)))
    #expect(module.entry(GFN(0x205), .pageTable).state == .mapped)
    #expect(module.pagePromote(first, .directory) == .failure(.gpaRangeNotBlocked))
    #expect(module.rangeBlock(first, .directory) == .success)
    #expect(module.pagePromote(first, .directory) == .failure(.tlbTrackingNotDone))
    #expect(module.track() == .success)
    #expect(module.pagePromote(first, .directory) == .success(PFN(5)))
    #expect(module.translate(gpa, .write) == .success(HPA(0x40_5123)))
    #expect(module.entryCount == 3)
  }

  @Test("E16 while a lock is held nothing is changed")
  func busy() {
    let module = Self.domain()
    module.makeBusy(calls: 2)
    #expect(module.pageAug(Self.frame, .pageTable, page: PFN(9)) == .operandBusy)
    #expect(module.track() == .operandBusy)
    #expect(module.entry(Self.frame, .pageTable).state == .free)
    #expect(module.pageAug(Self.frame, .pageTable, page: PFN(9)) == .success)
  }
}
