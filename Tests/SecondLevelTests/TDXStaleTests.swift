import MMU
import Machine
import MachineSupport
import Paging
import ParallelProperty
import Testing
import X86
import X86Guest

@Suite("Stale translations of trust domains")
struct TDXStaleTests {
  /// What the host does, and on which page of the guest's it shows: private from 0x40000000, shared from
  /// 0x50000000.
  private static let operations:
    [(
      kind: StaleTranslation.HostOperation.Kind, gva: UInt64,
      body: @Sendable (Domain.MMUType) throws -> Void
    )] = [
      (.secureRemoval, 0x4000_0000, { try $0.reclaim(GFN(0x200)..<GFN(0x201)) }),
      (
        .secureRemoval, 0x4000_0000,
        {
          try $0.block(GFN(0x200), .pageTable)
          try $0.track()
        }
      ),
      (.conversion, 0x5000_1000, { try $0.convert(GFN(0x201)..<GFN(0x202), toPrivate: true) }),
      (.unmap, 0x5000_1000, { _ = $0.unmapHost(GFN(0x201)..<GFN(0x202)) {} }),
    ]

  /// What a machine tells after an operation between two uses of a page.
  private func findings<MMU: VirtualMMU>(
    _ gva: UInt64, on domain: Domain, _ mmu: MMU, _ body: () throws -> Void
  ) throws -> [StaleTranslation] {
    let machine = try Machine(
      guests: [domain.machine.vcpus[0].guest], mmu: mmu,
      ledger: TranslationLedger(memory: domain.memory))
    func use() -> AccessReport<X86Fault> {
      machine.vcpu(0, access: X86Access(.read), at: GVA(gva), size: 8)
    }
    guard case .done = use().outcome else {
      Issue.record("the page is there")
      return []
    }
    try body()
    _ = use()
    return try #require(machine.ledger).take().findings
  }

  private func domain() throws -> Domain {
    let domain = try Domain()
    _ = try domain.mmu.accept(GFN(0x200), .pageTable)
    try domain.mmu.convert(GFN(0x201)..<GFN(0x202), toPrivate: false)
    return domain
  }

  @Test("E16 T6 a flush that is forgotten for a domain is named: removal, conversion, unmap")
  func forgotten() throws {
    for (kind, gva, body) in Self.operations {
      let domain = try domain()
      let found = try findings(gva, on: domain, NeverFlushingMMU(domain.mmu)) {
        try body(domain.mmu)
      }
      let finding = try #require(found.first, "\(kind)")
      #expect(found.count == 1 && finding.verdict == .mmu && finding.difference == .frame)
      guard case .host(let operation) = finding.cause else {
        Issue.record("\(kind): \(finding)")
        continue
      }
      #expect(operation.kind == kind)
    }
  }

  @Test("E16 T6 the right MMU forgets none; a page that is blocked may be used until the track")
  func honest() throws {
    for (kind, gva, body) in Self.operations {
      let domain = try domain()
      let found = try findings(gva, on: domain, domain.mmu) { try body(domain.mmu) }
      #expect(found == [], "\(kind)")
    }
    let domain = try domain()
    let found = try findings(0x4000_0000, on: domain, domain.mmu) {
      try domain.mmu.block(GFN(0x200), .pageTable)
    }
    #expect(found == [])
  }
}
