public import MMU
public import Paging

/// One virtual processor: the owner of its state, which it lends to whoever runs it.
///
/// Used by one thread at a time: a machine's callers give each vCPU a thread of its own, or none. Its
/// registers may be read at any time; all else only while the state is not lent.
public final class VCPU<Guest: TranslationRegime, MMU: VirtualMMU, Observer: MMUObserver>:
  @unchecked Sendable
where Guest.Input == GuestVirtual, Guest.Access: MemoryAccess {
  /// The vCPU's number.
  public let index: Int
  @usableFromInline var state: VCPUState<Guest, MMU, Observer>
  private let published: PublishedGuest<Guest>

  /// Registers and what follows from them.
  public var guest: Guest { published.guest }
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

  init(index: Int, _ state: consuming VCPUState<Guest, MMU, Observer>) {
    self.index = index
    published = state.published
    self.state = state
  }
}
