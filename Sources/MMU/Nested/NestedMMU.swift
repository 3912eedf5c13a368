public import Paging

/// The MMU of a guest that is a hypervisor: it runs on our second level, and so do its guests, whose
/// second level follows the tables that it made for them (SPEC F15).
///
/// Tables and faults are those of one `ShadowMMU`, for which the hypervisor's second level is just
/// another guest format. What is here is the processor: a two-dimensional walk, whose exits are told
/// in the words of EPT or nested paging.
///
/// **Not modelled** #VE and page-modification logging inside the guest.
///
/// **Source** Intel SDM Vol. 3C, "EPT Translation Mechanism"; AMD APM Vol. 2, "Nested Paging".
public final class NestedMMU<Encoder: SPTEEncoder, Policy: MMUPolicy>: NestingMMU
where Encoder.Format: NestedFormat {
  /// EPT or nested paging, on both levels.
  public typealias Format = Encoder.Format
  /// The guests that it shadows.
  public typealias Guest = NestedGuest<Format>
  /// What the hardware reports.
  public typealias Exit = Format.Fault
  /// What one vCPU keeps; it runs the hypervisor until it is told otherwise.
  public typealias CPU = ShadowContext<Guest>

  let tables: ShadowMMU<Guest, Encoder, Policy>
  /// What the hypervisor's processor can do.
  let inner: Format

  /// An MMU without any table.
  ///
  /// - Parameters:
  ///   - encoder: who writes the entries.
  ///   - inner: the second level as the hypervisor has it; at most what the encoder's hardware can, by
  ///     default the same.
  ///   - policy: who is asked about faults.
  ///   - memory: the guest's memory.
  ///   - pool: where table pages come from.
  ///   - options: what the composer chose.
  /// - Throws: `CompositionError.nestedBeyondHost` where it asks for more.
  public init(
    encoder: Encoder, inner: Format? = nil, policy: Policy, memory: GuestMemory, pool: TablePool,
    options: ShadowOptions = ShadowOptions()
  ) throws(CompositionError) {
    let inner = inner ?? encoder.format
    guard inner.isContained(in: encoder.format) else {
      throw .nestedBeyondHost(encoder: encoder.layout.name)
    }
    self.inner = inner
    tables = ShadowMMU(
      encoder: encoder, policy: policy, memory: memory, pool: pool, options: options)
  }

  /// Who writes the entries.
  public var encoder: Encoder { tables.encoder }
  /// The hypervisor's memory.
  public var memory: GuestMemory { tables.memory }
  /// Table pages in use, of both levels. **Units** pages.
  public var tablePages: Int { tables.tablePages }
  /// Where the table pages lie.
  public var tableRange: Range<HPA>? { tables.tableRange }

  /// A vCPU that runs the hypervisor.
  public func makeCPU(index: Int) -> CPU { tables.makeCPU(index: index) }

  /// Brings the vCPU's roots up to date.
  public func enter(_ cpu: inout CPU) -> Bool { tables.enter(&cpu) }

  /// The epoch at which the vCPU came inside.
  public func stay(of cpu: CPU) -> UInt64 { tables.stay(of: cpu) }

  /// Announces that the vCPU is outside.
  public func exit(_ cpu: inout CPU) { tables.exit(&cpu) }

  /// Whether the vCPU has seen all invalidations.
  public func isCurrent(_ cpu: CPU) -> Bool { tables.isCurrent(cpu) }

  /// Gives up the vCPU's roots.
  public func leave(_ cpu: inout CPU) { tables.leave(&cpu) }

  /// What the vCPU's faults amounted to.
  public func counters(of cpu: CPU) -> MMUCounters { tables.counters(of: cpu) }

  /// Waits until no vCPU uses a translation from before this call.
  public func synchronize() { tables.synchronize() }

  /// Gives up every table of ours.
  public func invalidateAll() { tables.invalidateAll() }

  /// Gives up what was read from tables that are others by now.
  public func memoryRestored() { tables.memoryRestored() }

  /// Takes every mapping of a range of the memslots away while the host changes what is behind it.
  ///
  /// - Parameters:
  ///   - range: the frames that the host takes away.
  ///   - change: what the host does meanwhile; it may not call the MMU.
  /// - Returns: the number of leaves taken away.
  @discardableResult
  public func unmapHost(_ range: Range<GFN>, _ change: () -> Void = {}) -> Int {
    tables.unmapHost(range, change)
  }

  /// Checks every invariant of the tables (SPEC F18).
  ///
  /// **Requires** that no vCPU runs.
  public func audit() -> [String] { tables.audit() }

  /// Hears of a write that software made for a vCPU, in the memslots' addresses.
  public func memoryWritten(
    _ gpa: GPA, byteCount: Int, on cpu: inout CPU, _ observer: borrowing some MMUObserver
  ) {
    tables.memoryWritten(gpa, byteCount: byteCount, on: &cpu, observer)
  }

  /// Brings every table in step, and forgets the last MMIO page: a linear address may lead anywhere.
  public func invalidatePage(
    _ gva: GVA, on cpu: inout CPU, _ observer: borrowing some MMUObserver
  ) {
    tables.locked(&cpu, observer) { cpu in
      tables.syncAll()
      cpu.lastMMIO = nil
    }
  }

  /// The hypervisor itself as a guest of the tables.
  var hypervisor: Guest { Guest(host: encoder.format, tables: nil) }
}
