public import MMU
public import Paging

/// One virtual processor: its translation state, its TLB, and what the MMU keeps for it.
///
/// Used by one thread at a time: a machine's callers give each vCPU a thread of its own, or none.
public final class VCPU<Guest: TranslationRegime, MMU: VirtualMMU>: @unchecked Sendable
where Guest.Input == GuestVirtual, Guest.Access: MemoryAccess {
  /// The vCPU's number.
  public let index: Int
  /// Registers and what follows from them.
  public var guest: Guest { state.guest }
  @usableFromInline var state: VCPUState<Guest, MMU>

  /// Exits so far.
  public var exits: ExitCounters { state.exits }
  /// Translations found in the TLB.
  public var tlbHits: Int { state.tlbHits }
  /// Translations walked for.
  public var tlbMisses: Int { state.tlbMisses }
  /// Exceptions raised in the guest, by vector.
  public var faults: [UInt8: Int] { state.faults }
  /// The linear address of the last page fault that the MMU injected (CR2).
  public var faultAddress: GVA? { state.faultAddress }

  /// What the MMU keeps for the vCPU, to look at.
  public var mmuState: MMU.CPU { state.context }

  init(index: Int, guest: Guest, tlb: TLBGeometry, context: MMU.CPU) {
    self.index = index
    state = VCPUState(guest: guest, tlb: TLB(tlb), context: context)
  }
}
