public import MMU
public import Paging

/// What accesses of a vCPU use and change, lent as a whole: `Machine.withVCPU(_:_:)` lends it for many
/// accesses, `Machine.vcpu(_:access:at:size:value:)` for one.
///
/// Between the accesses the vCPU stays inside the guest. Whoever changes tables in a way that vCPUs
/// must see waits for its next access, and therefore must not be waited for meanwhile.
public struct VCPUState<Guest: TranslationRegime, MMU: VirtualMMU, Observer: MMUObserver>:
  ~Copyable
where Guest.Input == GuestVirtual, Guest.Access: MemoryAccess {
  // PERF: tlb.hit; one owner without reference counts and exclusivity checks between its parts.

  @usableFromInline let mmu: MMU
  @usableFromInline let bus: MMIOBus
  @usableFromInline let observer: Observer
  @usableFromInline let host: HostView
  /// Registers and what follows from them; changed by `change(_:)` alone.
  @usableFromInline var guest: Guest
  /// The same for those who look on.
  @usableFromInline let published: PublishedGuest<Guest>
  /// Cached translations.
  @usableFromInline var tlb: TLB<Guest.Rights>
  /// What the MMU keeps.
  @usableFromInline var context: MMU.CPU
  /// How often the TLB was dropped on the way into the guest.
  @usableFromInline var flushes = 0
  /// What the last access that the TLB did not answer alone amounted to.
  @usableFromInline var lastReport = AccessReport<Guest.Fault>(.done(0))
  @usableFromInline var exits = ExitCounters()
  @usableFromInline var tlbHits = 0
  @usableFromInline var tlbMisses = 0
  @usableFromInline var faults: [UInt8: Int] = [:]
  @usableFromInline var faultAddress: GVA?
  /// The registers that a system-management interrupt has put aside.
  var interrupted: Guest?
  /// What checks translations before they are used; `nil` where nobody asked for it.
  @usableFromInline var watch: TranslationWatch?

  init(
    index: Int, guest: Guest, mmu: MMU, bus: MMIOBus, observer: Observer, tlb: TLBGeometry,
    ledger: TranslationLedger?
  ) throws(FaultError) {
    self.mmu = mmu
    self.bus = bus
    self.observer = observer
    host = mmu.memory.host.view
    self.guest = guest
    published = PublishedGuest(guest)
    self.tlb = TLB(tlb)
    watch = ledger.map { TranslationWatch($0, vcpu: index, places: tlb.entries) }
    context = try mmu.makeCPU(index: index)
  }

  /// Changes registers.
  @inlinable
  mutating func change<Outcome>(_ body: (inout Guest) -> Outcome) -> Outcome {
    defer { published.publish(guest) }
    return body(&guest)
  }

  /// Brings the vCPU's root and TLB up to date.
  @inlinable
  mutating func enter() {
    if mmu.enter(&context) {
      tlb.invalidate(.everything)
      flushes &+= 1
    }
  }

  /// Says that the vCPU uses no translation until it enters again.
  @inlinable
  mutating func leave() { mmu.exit(&context) }
}
