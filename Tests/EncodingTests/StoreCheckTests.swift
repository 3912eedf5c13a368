import Paging
import Testing
import X86EPT
import X86NPT
import X86Shadow

@Suite("What debug builds ask of every store")
struct StoreCheckTests {
  /// Checks one encoder's entries, well formed and not.
  private func check(_ encoder: some SPTEEncoder) {
    let masks = encoder.layout.masks
    let nothing = encoder.layout.nonPresent
    func breach(_ raw: UInt64, over old: SPTE, at level: Level = .pageTable) -> String? {
      encoder.breach(storing: SPTE(raw), over: old, at: level)
    }
    let leaf = encoder.leaf(
      LeafRequest(pfn: PFN(7), level: .pageTable, permissions: .all)
    ).rawValue
    let logged = leaf & ~masks.writable
    let tracked = logged & ~masks.mmuWritable
    let readOnly = tracked & ~masks.hostWritable
    for entry in [leaf, logged, tracked] {
      #expect(breach(entry, over: nothing) == nil)
      #expect(breach(entry, over: SPTE(leaf)) == nil)
      #expect(breach(entry, over: encoder.layout.frozen) == nil)
    }
    #expect(breach(readOnly, over: nothing) == nil)
    #expect(breach(encoder.table(HPA(0x5000)).rawValue, over: nothing, at: .directory) == nil)
    #expect(breach(encoder.layout.frozen.rawValue, over: SPTE(leaf)) == nil)
    #expect(breach(nothing.rawValue, over: SPTE(leaf)) == nil)
    // Writable bits that do not agree.
    #expect(breach(leaf & ~masks.hostWritable, over: nothing) != nil)
    #expect(breach(leaf & ~masks.mmuWritable, over: nothing) != nil)
    #expect(breach(readOnly | masks.mmuWritable, over: nothing) != nil)
    // Host-writable of one page changes; of another it may.
    #expect(breach(readOnly, over: SPTE(leaf)) != nil)
    #expect(breach(leaf, over: SPTE(readOnly)) != nil)
    let other = encoder.leaf(LeafRequest(pfn: PFN(8), level: .pageTable, permissions: .all))
    #expect(breach(readOnly, over: other) == nil)
    // Hardware would use what the MMU takes for nothing, or refuse what it takes for a mapping.
    #expect(breach(leaf & ~masks.mmuPresent, over: nothing) != nil)
    #expect(
      breach(encoder.table(HPA(0x5000)).rawValue | 1 << 51, over: nothing, at: .directory) != nil)
    #expect(breach(leaf | 1 << 51, over: nothing) != nil)
  }

  @Test("E1 E4 E9 an entry that breaks a rule is caught, and none that keeps them, in every format")
  func everyFormat() throws {
    check(try EPTEncoder(.width(46)))
    check(try NamedLayoutTests.shadow(.standard))
    check(try NPTEncoder(NPTCapabilities(physicalAddressWidth: 46)))
  }
}
