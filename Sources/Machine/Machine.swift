public import MMU
public import Paging

/// A guest's machine: vCPUs, the MMU they were composed with, and the MMIO bus.
///
/// Generic over the guest's regime, the MMU and the observer, so a composed machine is specialised;
/// `vcpu(_:access:at:size:value:)` is the whole life of an access, `withVCPU(_:_:)` of many.
public final class Machine<Guest: TranslationRegime, MMU: VirtualMMU, Observer: MMUObserver>:
  Sendable
where Guest.Input == GuestVirtual, Guest.Access: MemoryAccess {
  /// The MMU.
  public let mmu: MMU
  /// The devices.
  public let bus: MMIOBus
  /// Who listens.
  public let observer: Observer
  /// What remembers why translations are stale; `nil` where they are not looked at.
  public let ledger: TranslationLedger?
  /// The vCPUs.
  public let vcpus: [VCPU<Guest, MMU, Observer>]

  /// A machine.
  ///
  /// - Parameters:
  ///   - guests: one translation state for each vCPU.
  ///   - mmu: who handles the exits.
  ///   - bus: the devices.
  ///   - tlb: the shape of each TLB.
  ///   - observer: who hears of what happens.
  ///   - ledger: checks each translation before it is used, and tells of those that are stale; `nil`
  ///     not to look.
  /// - Throws: `FaultError` where a vCPU's root cannot be made.
  public init(
    guests: [Guest], mmu: MMU, bus: MMIOBus = MMIOBus(), tlb: TLBGeometry = .standard,
    observer: Observer = NoObserver(), ledger: TranslationLedger? = nil
  ) throws(FaultError) {
    self.mmu = mmu
    self.bus = bus
    self.observer = observer
    self.ledger = ledger
    var vcpus: [VCPU<Guest, MMU, Observer>] = []
    for (index, guest) in guests.enumerated() {
      let state = try VCPUState(
        index: index, guest: guest, mmu: mmu, bus: bus, observer: observer, tlb: tlb,
        ledger: ledger)
      vcpus.append(VCPU(index: index, state))
    }
    self.vcpus = vcpus
  }

  deinit {
    for vcpu in vcpus { mmu.leave(&vcpu.state.context) }
  }

  /// The guest's memory.
  public var memory: GuestMemory { mmu.memory }

  /// What all vCPUs' faults amounted to.
  public var counters: MMUCounters {
    vcpus.reduce(into: MMUCounters()) { $0 += mmu.counters(of: $1.state.context) }
  }
}
