package import MMU
import Machine
package import Paging
import X86
import X86Guest

/// The machine of a race: vCPUs without paging of their own behind a second level, so that all that is
/// walked is that.
///
/// Host memory is 12 MiB: table pages from frame 16, guest RAM from 4 MiB on, room for as much from
/// 8 MiB on.
package struct RaceRig: Sendable {
  package let memory: GuestMemory
  package let mmu: any RaceTables
  package let turns: Turns
  let machine: any RaceMachine
  private let book = Book()

  struct Notes {
    var findings: [String] = []
    /// What the guest wrote, by frame and vCPU.
    var written: [Cell: UInt64] = [:]
    /// Pages as they were copied last.
    var copies: [UInt64: [UInt8]] = [:]
  }

  private final class Book: Sendable { let notes = Guarded(Notes()) }

  struct Cell: Hashable {
    var frame: UInt64
    var vcpu: Int
  }

  /// RAM from guest address 0.
  package static func ram(
    frames: UInt64, at host: HPA = homes[0], backing: PageSize = .size4KiB
  ) -> Memslot {
    Memslot(id: 0, base: GFN(0), frameCount: frames, host: host, backing: backing)
  }

  /// Where guest RAM lies, and where it may move to.
  static let homes = [HPA(4 << 20), HPA(8 << 20)]

  /// The pages that are behind a guest's page, or come to be.
  package static func data(of frame: UInt64) -> SharedPlace {
    .data(homes[0].wrappingAdd(frame << 12))
  }

  /// What a place holds: of a guest's page the vCPUs' cells.
  package func content(of place: SharedPlace) -> UInt64? {
    guard case .data(let page) = place else { return mmu.content(of: place) }
    var hasher = Hasher()
    for home in Self.homes {
      let page = home.wrappingAdd(page.rawValue - Self.homes[0].rawValue)
      hasher.combine(memory.host.view.read(page, count: 16))
    }
    return UInt64(bitPattern: Int64(hasher.finalize()))
  }

  /// A machine with RAM from guest address 0.
  ///
  /// - Parameters:
  ///   - format: of the tables.
  ///   - frames: at most 1,024; few where its leaves are gone through.
  package init(
    _ turns: Turns, _ format: RaceFormat = .ept, vcpus: Int, frames: UInt64 = 16,
    accessedDirty: Bool = true, backing: PageSize = .size4KiB, ring: Int? = nil
  ) throws {
    self.turns = turns
    memory = GuestMemory(host: try HostMemory(byteCount: 12 << 20))
    let ram = Self.ram(frames: frames, backing: backing)
    try memory.update { table throws(MemslotError) in try table.adding(ram) }
    mmu = try format.makeTables(turns, memory, accessedDirty: accessedDirty, ring: ring)
    let processor = X86Processor(
      X86Registers(cr0: [.protectionEnable], cr3: 0, cr4: [], efer: []),
      X86Features(physicalAddressWidth: 40))
    machine = try mmu.makeMachine(Array(repeating: processor, count: vcpus), turns)
  }

  /// The first vCPU's root table.
  package var root: PFN { machine.root(of: 0) }

  /// Notes what is wrong.
  package func fail(_ finding: String) { book.notes.withLock { $0.findings.append(finding) } }

  private func access(
    _ kind: AccessKind, _ frame: UInt64, vcpu: Int, value: UInt64 = 0
  ) -> AccessReport<X86Fault> {
    turns.accessing(Self.data(of: frame), isWrite: kind == .write) {
      machine.access(
        vcpu, X86Access(kind), at: GVA(frame << 12 + UInt64(vcpu) * 8), value: value)
    }
  }

  /// A vCPU writes its own cell of a page.
  package func write(_ value: UInt64, to frame: UInt64, vcpu: Int) {
    let report = access(.write, frame, vcpu: vcpu, value: value)
    guard case .done = report.outcome else {
      return fail("vCPU \(vcpu) writes frame \(frame): \(report.outcome)")
    }
    book.notes.withLock { $0.written[Cell(frame: frame, vcpu: vcpu)] = value }
  }

  /// A vCPU writes its own cell of a page that a memslot may or may not hold by then.
  ///
  /// - Returns: whether the write went to memory, and not to MMIO.
  @discardableResult
  package func writeAnywhere(_ value: UInt64, to frame: UInt64, vcpu: Int) -> Bool {
    let report = access(.write, frame, vcpu: vcpu, value: value)
    guard case .done = report.outcome else {
      fail("vCPU \(vcpu) writes frame \(frame): \(report.outcome)")
      return false
    }
    return report.mmio == nil
  }

  /// A vCPU reads its own cell of a page, which holds what it wrote there.
  package func read(_ frame: UInt64, vcpu: Int) {
    let report = access(.read, frame, vcpu: vcpu)
    guard case .done(let value) = report.outcome else {
      return fail("vCPU \(vcpu) reads frame \(frame): \(report.outcome)")
    }
    let written = book.notes.withLock { $0.written[Cell(frame: frame, vcpu: vcpu)] ?? 0 }
    if value != UInt128(written) {
      fail("vCPU \(vcpu) reads \(value) in frame \(frame), where it wrote \(written)")
    }
  }

  /// Forgets what the vCPUs wrote: nothing is expected to be there any more.
  package func forgetWrites() { book.notes.withLock { $0.written = [:] } }

  /// The bytes of a guest's page, wherever its slot leads now.
  package func bytes(of frame: UInt64) -> [UInt8] {
    turns.step(Self.data(of: frame), isChange: false)
    return memory.view.read(GFN(frame).baseAddress, count: 4096)
  }

  /// Copies a page, as a migration does.
  package func copy(_ frame: UInt64) {
    let bytes = bytes(of: frame)
    book.notes.withLock { $0.copies[frame] = bytes }
  }

  /// One round of a migration: copies what is found dirty now.
  package func copyDirtyPages() {
    _ = mmu.harvestDirtyRings()
    var frames = Set(mmu.resetDirtyRings().map(\.offset))
    do {
      for (index, word) in try mmu.dirtyPages(ofSlot: 0, clearing: true).enumerated() {
        for bit in 0..<64 as Range<UInt64> where word >> bit & 1 != 0 {
          frames.insert(UInt64(index) * 64 + bit)
        }
      }
    } catch {
      fail("\(error)")
    }
    for frame in frames.sorted() { copy(frame) }
  }

  /// Runs threads; then the tables are audited and every cell is looked up, by the host and by its vCPU.
  package func race(
    _ bodies: [@Sendable () -> Void], atEnd: @escaping () -> Void = {}
  ) -> Race.Run {
    Race.Run(bodies, content: content) {
      atEnd()
      for line in mmu.audit() { fail("audit: \(line)") }
      for (cell, value) in book.notes.withLock({ $0.written }) {
        let gpa = GFN(cell.frame).baseAddress.wrappingAdd(UInt64(cell.vcpu) * 8)
        let found = memory.hpa(of: gpa).flatMap { memory.host.view.readValue($0, size: 8) }
        if found != UInt128(value) {
          fail(
            "frame \(cell.frame) holds \(found ?? 0), where vCPU \(cell.vcpu) wrote \(value)")
        }
        read(cell.frame, vcpu: cell.vcpu)
      }
      for line in mmu.audit() { fail("audit after the last reads: \(line)") }
      return book.notes.withLock { $0.findings }
    }
  }

  /// As `race`, in a migration: after the last round every page that was ever copied or written is
  /// equal to its copy.
  package func migration(_ bodies: [@Sendable () -> Void]) -> Race.Run {
    race(bodies) {
      copyDirtyPages()
      let (copies, written) = book.notes.withLock { ($0.copies, $0.written) }
      for frame in Set(written.keys.map(\.frame)).union(copies.keys).sorted()
      where copies[frame] != bytes(of: frame) {
        fail("frame \(frame) was written and is not copied")
      }
    }
  }
}
