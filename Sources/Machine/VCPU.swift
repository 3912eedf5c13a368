public import MMU
public import Paging

/// One virtual processor: its translation state, its TLB, and what the MMU keeps for it.
///
/// Used by one thread at a time: a machine's callers give each vCPU a thread of its own, or none.
public final class VCPU<Guest: TranslationRegime, MMU: VirtualMMU>: @unchecked Sendable
where Guest.Input == GuestVirtual, Guest.Access: MemoryAccess {
  /// The vCPU's number.
  public let index: Int
  /// Registers and what follows from them. A copy of what accesses use, so that a policy may look at
  /// it while an access is under way.
  public internal(set) var guest: Guest { didSet { state.guest = guest } }
  @usableFromInline var state: VCPUState<Guest, MMU>

  /// Exits so far.
  public var exits: ExitCounters { state.exits }
  /// Translations found in the TLB.
  public var tlbHits: Int { state.tlbHits }
  /// Translations walked for.
  public var tlbMisses: Int { state.tlbMisses }
  /// Exceptions raised in the guest, by vector.
  public var faults: [UInt8: Int] { state.faults }
  /// What the MMU keeps for the vCPU, to look at.
  public var mmuState: MMU.CPU { state.context }

  init(index: Int, guest: Guest, tlb: TLBGeometry, context: MMU.CPU) {
    self.index = index
    self.guest = guest
    state = VCPUState(guest: guest, tlb: TLB(tlb), context: context)
  }
}

/// What the translation of an address uses and changes: lent to it once.
// PERF: tlb.hit; each touch of a class's stored value is checked for overlap, a lent one is not.
@usableFromInline
struct VCPUState<Guest: TranslationRegime, MMU: VirtualMMU>: ~Copyable {
  /// Registers and what follows from them.
  @usableFromInline var guest: Guest
  /// Cached translations.
  @usableFromInline var tlb: TLB<Guest.Rights>
  /// What the MMU keeps.
  @usableFromInline var context: MMU.CPU
  @usableFromInline var exits = ExitCounters()
  @usableFromInline var tlbHits = 0
  @usableFromInline var tlbMisses = 0
  @usableFromInline var faults: [UInt8: Int] = [:]

  init(guest: Guest, tlb: consuming TLB<Guest.Rights>, context: MMU.CPU) {
    self.guest = guest
    self.tlb = tlb
    self.context = context
  }
}
