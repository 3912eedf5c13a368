import MMU
import Paging
import X86EPT

/// An MMU whose second level is looked after: its writes logged, its large pages split.
///
/// Host memory: table pages from frame 1, then guest RAM, of which nothing is touched.
final class UpkeepRig {
  typealias MMUType = TDPMMU<EPTEncoder, DefaultPolicy>

  let mmu: MMUType
  /// **Units** pages of 4 KiB.
  let pages: Int
  private var cpu: TDPContext

  /// An MMU that maps all its guest's memory by pages of one size, written by nobody yet.
  init(pages: Int, of size: PageSize) throws {
    self.pages = pages
    let limit = pages / 512 + pages / 512 / 512 + 64
    let base = HPA(UInt64(limit / 512 + 1) << 21)
    let memory = GuestMemory(
      host: try HostMemory(byteCount: base.rawValue + UInt64(pages) << 12))
    let ram = Memslot(
      id: 0, base: GFN(0), frameCount: UInt64(pages), host: base, backing: size)
    try memory.update { table throws(MemslotError) in try table.adding(ram) }
    mmu = try TDPMMU(
      encoder: EPTEncoder(EPTCapabilities(physicalAddressWidth: 46)), policy: DefaultPolicy(),
      memory: memory, pool: TablePool(first: PFN(1), limit: limit))
    cpu = try mmu.makeCPU(index: 0)
    guard fault(.read, step: Int(size.frames)) else {
      throw BenchmarkError.noData("upkeep", "a page cannot be mapped")
    }
  }

  deinit { mmu.leave(&cpu) }

  private func fault(_ kind: AccessKind, step: Int) -> Bool {
    for page in stride(from: 0, to: UInt64(pages), by: step) {
      let gpa = GPA(page << 12)
      switch mmu.walk(gpa, kind, isUser: true, for: GVA(gpa.rawValue), on: &cpu) {
      case .success: continue
      case .failure(.exit(let exit)):
        guard case .fixed = mmu.handle(exit, on: &cpu, NoObserver()) else { return false }
      case .failure: return false
      }
    }
    return true
  }

  /// Begins to log writes by write protection.
  func startLog() throws { try mmu.startDirtyLog(slot: 0, .writeProtect) }

  /// Has every page of that distance written.
  func write(step: Int) {
    guard fault(.write, step: step) else {
      preconditionFailure("the guest may write its own memory")
    }
  }

  /// Takes the log, and protects what it names.
  @inline(never)
  func round() -> WalkLoop.Tally {
    guard let words = try? mmu.dirtyPages(ofSlot: 0, clearing: true) else {
      return WalkLoop.Tally(failures: 1)
    }
    return WalkLoop.Tally(checksum: words.reduce(0) { $0 &+ UInt64($1.nonzeroBitCount) })
  }

  /// Puts large pages in the place of small ones.
  func collapse() { _ = mmu.collapse(in: GFN(0)..<GFN(UInt64(pages))) }

  /// Splits every large page.
  @inline(never)
  func split() -> WalkLoop.Tally {
    let (splits, isComplete) = mmu.splitLargePages(
      in: GFN(0)..<GFN(UInt64(pages)), budget: pages)
    return WalkLoop.Tally(checksum: UInt64(splits), failures: isComplete ? 0 : 1)
  }
}
