import MMU
import Paging
import Testing
import X86EPT

/// A second level of its own: one slot that begins and ends in the middle of a word of its log and of a
/// table, every page mapped by a write.
private final class RoundRig {
  static let base = GFN(0x3_FF25)
  static let frames: UInt64 = 1131

  let mmu: TDPMMU<EPTEncoder, DefaultPolicy>
  private var cpu: TDPContext

  init() throws {
    let memory = GuestMemory(host: try HostMemory(byteCount: 8 << 20))
    try memory.update { table throws(MemslotError) in
      try table.adding(
        Memslot(
          id: 0, base: Self.base, frameCount: Self.frames, host: HPA(1 << 20),
          backing: .size4KiB))
    }
    mmu = try TDPMMU(
      encoder: EPTEncoder(EPTCapabilities(physicalAddressWidth: 40)), policy: DefaultPolicy(),
      memory: memory, pool: TablePool(first: PFN(1), limit: 64))
    cpu = try mmu.makeCPU(index: 0)
    for frame in 0..<Self.frames { write(frame) }
  }

  deinit { mmu.leave(&cpu) }

  /// Whether hardware lets a write to a frame of the slot through as its entry stands.
  func isWritable(_ frame: UInt64) -> Bool { exit(frame) == nil }

  func write(_ frame: UInt64) {
    if let exit = exit(frame) {
      #expect(mmu.handle(exit, on: &cpu, NoObserver()) == .fixed, "frame \(frame)")
    }
  }

  private func exit(_ frame: UInt64) -> EPTExit? {
    let gpa = Self.base.wrappingAdd(frame).baseAddress
    switch mmu.walk(gpa, .write, isUser: true, for: GVA(0), on: &cpu) {
    case .failure(.exit(let exit)): return exit
    case .success, .failure: return nil
    }
  }
}

@Suite("Rounds of dirty logs")
struct DirtyRoundTests {
  /// Bits of the frames of `RoundRig`'s slot for which a rule holds.
  private static func words(where isMarked: (UInt64) -> Bool) -> [UInt64] {
    var words = [UInt64](repeating: 0, count: Int((RoundRig.frames + 63) / 64))
    for frame in 0..<RoundRig.frames where isMarked(frame) {
      words[Int(frame / 64)] |= 1 << (frame % 64)
    }
    return words
  }

  @Test(
    "T3 a round takes W from the pages it names, and from no other",
    arguments: [1, 3, 64, 65, 511, 700, 1130] as [UInt64])
  func protectsNamedPages(distance: UInt64) throws {
    let rig = try RoundRig()
    try rig.mmu.startDirtyLog(slot: 0, .writeProtect, isInitiallySet: true)
    let named = Self.words { $0 % distance == 0 }
    try rig.mmu.clearDirtyPages(ofSlot: 0, firstWord: 0, named)
    for frame in 0..<RoundRig.frames {
      #expect(rig.isWritable(frame) == (frame % distance != 0), "frame \(frame)")
    }
    #expect(try rig.mmu.dirtyPages(ofSlot: 0, clearing: false) == Self.words { $0 % distance != 0 })
    _ = try rig.mmu.dirtyPages(ofSlot: 0, clearing: true)
    let last = RoundRig.frames - 1
    for frame in [0, distance / 2, last] { rig.write(frame) }
    #expect(
      try rig.mmu.dirtyPages(ofSlot: 0, clearing: true)
        == Self.words { [0, distance / 2, last].contains($0) })
    for frame in 0..<RoundRig.frames where rig.isWritable(frame) {
      Issue.record("frame \(frame) may be written unseen")
    }
    #expect(rig.mmu.audit() == [])
  }
}
