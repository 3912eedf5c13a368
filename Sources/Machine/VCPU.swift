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
  public internal(set) var guest: Guest
  /// Cached translations.
  var tlb: TLB<Guest.Rights>
  /// What the MMU keeps.
  var context: MMU.CPU
  /// How often the TLB was dropped on the way into the guest.
  var flushes = 0
  /// Exits so far.
  public internal(set) var exits = ExitCounters()
  /// Translations found in the TLB.
  public internal(set) var tlbHits = 0
  /// Translations walked for.
  public internal(set) var tlbMisses = 0
  /// Exceptions raised in the guest, by vector.
  public internal(set) var faults: [UInt8: Int] = [:]

  /// The linear address of the last page fault that the MMU injected (CR2).
  public internal(set) var faultAddress: GVA?

  /// What the MMU keeps for the vCPU, to look at.
  public var mmuState: MMU.CPU { context }

  init(index: Int, guest: Guest, tlb: TLBGeometry, context: MMU.CPU) {
    self.index = index
    self.guest = guest
    self.tlb = TLB(tlb)
    self.context = context
  }
}
