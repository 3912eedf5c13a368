import Foundation
import MMU
import Machine
import MachineSupport
import Paging
import Report
import Scenario
import SystemPackage
import TestSupport
import Testing
import X86
import X86EPT
import X86Guest

@Suite("Stale translations")
struct StaleTranslationTests {
  /// A page at 0x400000 that leads to 0x200000, a window on its leaf table, and one use of it.
  private static func guest(_ mmu: String = "ept", vcpus: Int = 2) -> String {
    """
    scenario: 1
    machine:
      guest: long4
      mmu: \(mmu)
      vcpus: \(vcpus)
      stale-translations: true
      memory: [{gpa: 0x0, size: 16 MiB}]
    steps:
      - map: {va: 0x400000, gpa: 0x200000, size: 8 KiB, permissions: urw-, tables-at: 0x600000}
      - map: {va: 0x800000, gpa: 0x602000, size: 4 KiB, permissions: -rw-}
      - write: {va: 0x400000, value: 1, user: true}

    """
  }

  private func findings(_ steps: String, mmu: String = "ept") throws -> [StaleTranslation] {
    let (results, summary) = try Scenarios.run(Self.guest(mmu) + steps)
    #expect(summary.staleTranslations != nil)
    return results.flatMap(\.staleTranslations)
  }

  @Test("W16 the example runs on each MMU", arguments: ["ept", "npt"])
  func example(mmu: String) throws {
    let text = String(decoding: try Scenarios.example("stale-translation.yaml"), as: UTF8.self)
    let (results, summary) = try Scenarios.run(text.replacing("mmu: ept", with: "mmu: \(mmu)"))
    for result in results { #expect(result.isPassed, "\(result.number): \(result.mismatches)") }
    #expect(summary.staleTranslations == [.guest: 3])
  }

  /// What is written over the leaf, and in what the cached translation is wrong then.
  private static let leafValues: [(value: UInt64, difference: StaleTranslation.Difference)] = [
    (0x8000_0000_0030_0067 as UInt64, StaleTranslation.Difference.frame),
    (0x8000_0000_0020_0065, .rights), (0x8000_0000_0020_0063, .rights),
    (0x8000_0000_0020_0077, .memoryType), (0x8000_0000_0020_007d, [.rights, .memoryType]),
    (0x8000_0000_0020_0066, .frame),
  ]

  @Test(
    "W16 a write of the leaf is named with what it changed: frame, rights, memory type",
    arguments: leafValues)
  func leafWrites(value: UInt64, difference: StaleTranslation.Difference) throws {
    for mmu in ["ept", "npt", "shadow"] {
      let found = try findings(
        """
          - write: {va: 0x800000, value: 0x\(String(value, radix: 16)), vcpu: 1}
          - write: {va: 0x400000, value: 2, user: true}
        """, mmu: mmu)
      #expect(found.count == 1, "\(mmu)")
      let finding = try #require(found.first)
      #expect(finding.difference == difference, "\(mmu): \(finding)")
      #expect(finding.verdict == .guest)
      #expect(finding.isTLBHit)
      #expect(finding.old.gpa == GPA(0x20_0000))
      #expect(
        finding.cause
          == .write(
            StaleTranslation.TableWrite(
              gpa: GPA(0x60_2000), before: 0x8000_0000_0020_0067, after: value, vcpu: 1, step: 4)),
        "\(mmu)")
    }
  }

  @Test("W16 a table above the leaf that leads elsewhere is named, as is a write from outside")
  func otherWrites() throws {
    let found = try findings(
      """
        - poke: {gpa: 0x601010, value: 0x604027, size: 8}
        - read: {va: 0x400000, user: true}
        - poke: {gpa: 0x604000, value: 0x300067, size: 8}
        - read: {va: 0x400000, user: true}
        - invlpg: {va: 0x400000}
        - read: {va: 0x400000, user: true}
      """)
    #expect(found.map(\.verdict) == [.guest, .guest])
    guard case .write(let first) = found[0].cause, case .write(let second) = found[1].cause else {
      Issue.record("\(found)")
      return
    }
    #expect(first.gpa == GPA(0x60_1010) && first.vcpu == nil && first.step == 4)
    #expect(first.before == 0x60_2027 && first.after == 0x60_4027)
    #expect(found[0].new == nil)
    #expect(second.gpa == GPA(0x60_4000) && second.step == 6)
    #expect(found[1].new?.gpa == GPA(0x30_0000))
  }

  @Test(
    "W16 marks, more rights, the same entry again and what is flushed are not stale",
    arguments: [
      "poke: {gpa: 0x602000, value: 0x8000000000200007, size: 8}",
      "poke: {gpa: 0x602000, value: 0x200067, size: 8}",
      "poke: {gpa: 0x602000, value: 0x8000000000200067, size: 8}",
      "set-register: {cr3: 0x1000}", "host-unmap: {gpa: 0x200000, size: 4 KiB}",
      "age: {gpa: 0x200000, size: 4 KiB}",
      "dirty-log: {start: {gpa: 0x0, method: write-protect}}",
      "memslot: {add: {gpa: 32 MiB, size: 4 KiB}}", "memslot: {move: {gpa: 0x0, to: 0x0}}",
    ])
  func nothingStale(step: String) throws {
    for mmu in ["ept", "npt", "shadow"] {
      let found = try findings(
        "  - \(step)\n  - write: {va: 0x400000, value: 2, user: true}\n", mmu: mmu)
      #expect(found == [], "\(mmu)")
    }
  }

  @Test("without the key nothing is looked for")
  func option() throws {
    let plain = Self.guest().replacing("  stale-translations: true\n", with: "")
    let (results, summary) = try Scenarios.run(
      plain + "  - write: {va: 0x800000, value: 0}\n  - read: {va: 0x400000, user: true}\n")
    #expect(results.allSatisfy { $0.staleTranslations.isEmpty && !$0.json.line.contains("stale") })
    #expect(summary.staleTranslations == nil)
  }

  @Test("the JSON line says it all, and a step's expectation is held against it")
  func output() throws {
    let steps = """
        - write: {va: 0x800000, value: 0x300067}
        - read: {va: 0x400000, user: true}
          expect: {stale: none}
      """
    let (results, summary) = try Scenarios.run(Self.guest() + steps)
    let last = try #require(results.last)
    #expect(last.mismatches == ["stale: expected none, got guest"])
    #expect(
      last.json.line.contains(
        #""write":{"gpa":"0x602000","before":"0x8000000000200067","after":"0x300067","vcpu":0,"#
          + #""step":4},"verdict":"guest-has-not-flushed"}]"#), "\(last.json.line)")
    #expect(
      summary.json.line.contains(
        #""stale":{"guest-has-not-flushed":1,"mmu-forgot-to-flush":0}"#))
  }
}

/// MMUs that forget to flush, and threads that change tables under a right one.
@Suite("Forgotten flushes")
struct ForgottenFlushTests {
  /// Hears nothing.
  private struct Deaf: WriteTracker {
    func memoryWritten(_ gpa: GPA, byteCount: Int) {}
  }

  private typealias Guest<MMU: VirtualMMU> = Machine<X86Processor, MMU, NoObserver>

  private static func mmu() throws -> TDPMMU<EPTEncoder, DefaultPolicy> {
    let memory = GuestMemory(host: try HostMemory(byteCount: 4 << 20))
    let slot = Memslot(id: 0, base: GFN(0), frameCount: 256, host: HPA(1 << 20))
    try memory.update { table throws(MemslotError) in try table.adding(slot) }
    return try TDPMMU(
      encoder: EPTEncoder(EPTCapabilities(physicalAddressWidth: 40), mmio: .ept),
      policy: DefaultPolicy(), memory: memory, pool: TablePool(first: PFN(1), limit: 64))
  }

  private static func machine<MMU: VirtualMMU>(_ mmu: MMU, vcpus: Int = 1) throws -> Guest<MMU> {
    let guest = X86Processor(X86Registers(cr0: .protectionEnable), X86Features())
    return try Machine(
      guests: Array(repeating: guest, count: vcpus), mmu: mmu,
      ledger: TranslationLedger(memory: mmu.memory))
  }

  /// What the host does, and in what the translation is wrong then.
  private static let operations:
    [(
      kind: StaleTranslation.HostOperation.Kind, difference: StaleTranslation.Difference,
      body: @Sendable (TDPMMU<EPTEncoder, DefaultPolicy>) throws -> Void
    )] = [
      (.unmap, .frame, { $0.unmapHost(GFN(2)..<GFN(4)) }),
      (.zap, .frame, { $0.invalidateAll() }),
      (.conversion, .frame, { $0.convert(GFN(2)..<GFN(4), toPrivate: true) }),
      (.writeTracking, .frame, { _ = $0.trackWrites(to: GFN(2)..<GFN(4), by: Deaf()) }),
      (.recycling, .frame, { $0.zap(GFN(0)..<GFN(512), because: .recycling) }),
      (
        .dirtyLog, .rights,
        { try $0.startDirtyLog(slot: 0, .writeProtect, isInitiallySet: false, splitBudget: 0) }
      ),
      (
        .dirtyLog, .rights,
        { try $0.startDirtyLog(slot: 0, .dirtyBit, isInitiallySet: false, splitBudget: 0) }
      ),
      (
        .memslots, .frame,
        { mmu in
          try mmu.memory.update { table throws(MemslotError) in
            let other = Memslot(id: 0, base: GFN(0), frameCount: 256, host: HPA(2 << 20))
            return try table.removing(id: 0).adding(other)
          }
          mmu.invalidateAll()
        }
      ),
      (
        .memslots, .rights,
        { mmu in
          try mmu.memory.update { table throws(MemslotError) in
            var slot = Memslot(id: 0, base: GFN(0), frameCount: 256, host: HPA(1 << 20))
            slot.flags = .readOnly
            return try table.removing(id: 0).adding(slot)
          }
        }
      ),
    ]

  @Test("T1 a flush that the MMU forgot is a bug, and what the host did is named")
  func forgottenFlush() throws {
    for (kind, difference, body) in Self.operations {
      let base = try Self.mmu()
      let machine = try Self.machine(NeverFlushingMMU(base))
      let ledger = try #require(machine.ledger)
      ledger.beginStep(1)
      _ = machine.vcpu(0, access: .write, at: GVA(0x3008), size: 8, value: 1)
      #expect(ledger.take().findings == [])
      ledger.beginStep(2)
      try body(base)
      // Slots change without the MMU's doing.
      if kind == .memslots { ledger.note(kind, of: GFN(2)..<GFN(8)) }
      ledger.beginStep(3)
      let report = machine.vcpu(0, access: .write, at: GVA(0x3008), size: 8, value: 2)
      #expect(report.isTLBHit)
      let found = ledger.take().findings
      #expect(found.count == 1, "\(kind)")
      #expect(found.first?.verdict == .mmu, "\(kind)")
      #expect(found.first?.difference == difference, "\(kind): \(found)")
      guard case .host(let operation) = found.first?.cause else {
        Issue.record("\(kind): \(found)")
        continue
      }
      #expect(operation.kind == kind && operation.step == 2)
      #expect(operation.frames.contains(GFN(3)))
      #expect(ledger.counts == [.mmu: 1])
    }
  }

  @Test("T1 the right MMU forgets none of them")
  func rightMMU() throws {
    for (kind, _, body) in Self.operations.dropLast() {
      let base = try Self.mmu()
      let machine = try Self.machine(base)
      _ = machine.vcpu(0, access: .write, at: GVA(0x3008), size: 8, value: 1)
      try body(base)
      let report = machine.vcpu(0, access: .write, at: GVA(0x3008), size: 8, value: 2)
      #expect(!report.isTLBHit)
      #expect(machine.ledger?.counts == [:], "\(kind)")
    }
  }

  @Test("T1 T5 threads that use pages while the host takes them away are told of nothing")
  func threads() throws {
    let mmu = try Self.mmu()
    let machine = try Self.machine(mmu, vcpus: 3)
    runThreads(4) { index in
      var random = SeededGenerator(seed: UInt64(index))
      for _ in 0..<2_000 {
        let frame = UInt64(random.below(32))
        if index == 3 {
          if random.flip() {
            mmu.unmapHost(GFN(frame)..<GFN(frame + 8))
          } else {
            // No private memory is there: the frames come back at once.
            mmu.convert(GFN(frame)..<GFN(frame + 1), toPrivate: true)
            mmu.convert(GFN(frame)..<GFN(frame + 1), toPrivate: false)
          }
          continue
        }
        let gva = GVA(frame << 12)
        if random.flip() {
          _ = machine.vcpu(index, access: .write, at: gva, size: 8, value: 1)
        } else {
          machine.withVCPU(index) { vcpu in
            for _ in 0..<8 { _ = vcpu.access(.read, at: gva, size: 8) }
          }
        }
      }
    }
    #expect(machine.ledger?.counts == [:], "\(machine.ledger?.take().findings ?? [])")
    #expect(machine.vcpus.contains { $0.tlbHits > 0 })
  }
}
