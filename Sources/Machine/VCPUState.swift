public import MMU
public import Paging

/// What accesses of a vCPU change.
@usableFromInline
struct VCPUState<Guest: TranslationRegime, MMU: VirtualMMU>: ~Copyable
where Guest.Input == GuestVirtual, Guest.Access: MemoryAccess {
  /// Registers and what follows from them.
  @usableFromInline var guest: Guest
  /// Cached translations.
  @usableFromInline var tlb: TLB<Guest.Rights>
  /// What the MMU keeps.
  @usableFromInline var context: MMU.CPU
  /// How often the TLB was dropped on the way into the guest.
  @usableFromInline var flushes = 0
  @usableFromInline var exits = ExitCounters()
  @usableFromInline var tlbHits = 0
  @usableFromInline var tlbMisses = 0
  @usableFromInline var faults: [UInt8: Int] = [:]
  @usableFromInline var faultAddress: GVA?
  /// The registers that a system-management interrupt has put aside.
  var interrupted: Guest?

  init(guest: Guest, tlb: consuming TLB<Guest.Rights>, context: MMU.CPU) {
    self.guest = guest
    self.tlb = tlb
    self.context = context
  }
}
