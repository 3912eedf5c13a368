import GuestImage
import MMU
import Machine
import Paging
import PluginHost
import SystemPackage
import X86
import X86Guest
import X86PAE

/// Makes a machine of what a scenario says.
struct MachineComposer {
  let spec: MachineSpec
  /// The folder that paths are relative to.
  let folder: FilePath
  let plugins: MachinePlugins
  /// The slots that steps add, whose memory is reserved with the rest.
  let addedLater: [MachineSpec.Region]

  /// What was composed.
  struct Result {
    var machine: any ScenarioMachine
    /// The hypervisor inside the guest; `nil` where there is none.
    var nesting: (any NestingScenarioMachine)?
    var recorder: EventRecorder
    var bus: MMIOBus
    /// Where the memory of a slot that a step adds begins, by the region's line.
    var spare: [Int: SlotMemory]
    /// What was assumed or tolerated, for people.
    var notes: [String]
    /// One line that says what the machine is.
    var summary: String
  }

  func compose() throws(ScenarioError) -> Result {
    let images = try openImages()
    var notes: [String] = []
    let resolved = try registers(images, &notes)
    try checkDomain(
      resolved.registers.mode, width: resolved.features.physicalAddressWidth)
    var spare: [Int: SlotMemory] = [:]
    let memory = try makeMemory(images, spare: &spare)
    let pool = TablePool(first: PFN(1), limit: spec.tablePageLimit)
    try prepareEmptyTables(resolved, in: memory)
    let processor: X86Processor
    let strictness: PDPTERegisters.Strictness =
      spec.guest == .fromImage ? .acceptingAccessedBit : .strict
    let loaded = X86Processor.load(
      resolved.registers, resolved.features, in: memory.view, strictness)
    switch loaded {
    case .success(let (loaded, clearedBit5)):
      processor = loaded
      if clearedBit5 { notes.append("bit 5 of the image's PDPTEs is cleared on loading") }
    case .failure(.reservedBits(let index, _, let bits)):
      throw error(
        "PDPTE \(index) has reserved bits 0x\(String(bits, radix: 16))", line: registersLine)
    case .failure(.unreadable(let hole, _)):
      throw error("no memory holds the PDPTEs at \(hole.gpa)", line: registersLine)
    }
    let recorder = EventRecorder(telling: plugins.plugins.filter { $0.serves("on_event") })
    let bus = try makeBus(&notes)
    let inner = spec.nested.map { X86Processor(nested: $0, resolved.features) }
    let outer = Array(repeating: processor, count: spec.vcpuCount)
    let (machine, nesting) = try makeMachine(
      Parts(
        guests: outer + (inner.map { Array(repeating: $0, count: spec.vcpuCount) } ?? []),
        memory: memory, pool: pool, bus: bus, recorder: recorder,
        policy: PolicyStack(plugins.policies), width: resolved.features.physicalAddressWidth))
    try declarePrivate(machine)
    return Result(
      machine: machine, nesting: nesting, recorder: recorder, bus: bus, spare: spare,
      notes: notes,
      summary: "\(processor.regime.mode.rawValue) guest behind \(spec.mmu.rawValue)"
        + (spec.layout == .standard ? "," : ", layout \(spec.layout.rawValue),")
        + " MAXPHYADDR \(resolved.features.physicalAddressWidth),"
        + " \(spec.vcpuCount) vCPU\(spec.vcpuCount == 1 ? "" : "s")"
        + (inner.map { inner in
          "; inside it a \(inner.regime.mode.rawValue) guest on vCPU\(spec.vcpuCount == 1 ? "" : "s")"
            + " \(spec.vcpuCount)\(spec.vcpuCount == 1 ? "" : " to \(2 * spec.vcpuCount - 1)")"
        } ?? ""))
  }

  /// What a machine is made of, whatever its MMU.
  struct Parts {
    let guests: [X86Processor]
    let memory: GuestMemory
    let pool: TablePool
    let bus: MMIOBus
    let recorder: EventRecorder
    let policy: PolicyStack
    /// MAXPHYADDR.
    let width: Int
  }

  private typealias Composed = (any ScenarioMachine, (any NestingScenarioMachine)?)

  private func makeMachine(_ parts: Parts) throws(ScenarioError) -> Composed {
    do {
      if let nested = spec.nested {
        guard spec.exceptionAreas.isEmpty, !spec.nxHugePages,
          !spec.memory.contains(where: \.isPrivate)
        else {
          throw error(
            "a machine with a guest inside the guest has no ve-areas, nx-huge-pages or private memory",
            line: nested.line)
        }
        return spec.mmu == .npt
          ? try machine(nptNestedMMU(parts), parts, nested)
          : try machine(eptNestedMMU(parts), parts, nested)
      }
      switch spec.mmu {
      case .ept: return (try machine(eptMMU(parts), parts), nil)
      case .tdx: return (try machine(tdxMMU(parts), parts), nil)
      case .npt: return (try machine(nptMMU(parts), parts), nil)
      case .shadow:
        try checkTablePages(levels: parts.guests[0].entries.shadowLevels)
        return (try machine(shadowMMU(parts), parts), nil)
      }
    } catch let error as ScenarioError {
      throw error
    } catch {
      throw self.error("\(error)", line: spec.line)
    }
  }

  /// One access needs a table of every level at once.
  private func checkTablePages(levels: Level) throws(ScenarioError) {
    guard spec.tablePageLimit >= levels.rawValue else {
      throw error(
        "page-limit \(spec.tablePageLimit) (tables of \(levels.rawValue) levels need at least"
          + " \(levels.rawValue))", line: spec.line)
    }
  }

  private func machine<MMU: VirtualMMU>(
    _ mmu: MMU, _ parts: Parts
  ) throws(FaultError) -> Machine<X86Processor, MMU, EventRecorder> {
    try Machine(
      guests: parts.guests, mmu: mmu, bus: parts.bus, tlb: spec.tlb ?? .standard,
      observer: parts.recorder,
      ledger: spec.findsStaleTranslations ? TranslationLedger(memory: parts.memory) : nil)
  }

  private func machine(
    _ mmu: some NestingMMU, _ parts: Parts, _ nested: MachineSpec.Nested
  ) throws -> Composed {
    let machine = try machine(mmu, parts)
    let nesting = NestingMachine(machine: machine)
    for vcpu in spec.vcpuCount..<spec.allVCPUs {
      guard nesting.enter(vcpu, pointer: nested.pointer) else {
        throw error(
          "entering a guest on pointer 0x\(String(nested.pointer, radix: 16)) would fail",
          line: nested.line)
      }
    }
    for (index, area) in nested.exceptionAreas.enumerated() {
      guard parts.memory.hpa(of: area) != nil else {
        throw error("no memory holds the ve-area at \(area)", line: nested.line)
      }
      nesting.takeExceptions(spec.vcpuCount + index, in: area)
    }
    return (machine, nesting)
  }

  /// The encoder with the MMIO mask and the software bits that plugins ask for, each asked once.
  ///
  /// - Parameter make: composes the encoder with a mask, or refuses it.
  func encoder<Encoder: AdjustableEncoder>(
    _ name: String, _ parts: Parts, standard: MMIOMask?,
    _ make: (MMIOMask?) throws(LayoutError) -> Encoder
  ) throws -> Encoder {
    let mask = try mmioMask(name, parts, standard: standard) { mask throws(LayoutError) in
      _ = try make(mask)
    }
    return try Plugin.adjusted(make(mask), by: plugins.plugins)
  }

  /// The MMIO mask: the plugins' last answer, else the standard.
  ///
  /// - Parameter check: refuses what the encoder cannot hold.
  private func mmioMask(
    _ encoder: String, _ parts: Parts, standard: MMIOMask?,
    check: (MMIOMask) throws(LayoutError) -> Void
  ) throws -> MMIOMask? {
    var mask = try Plugin.mmioMask(
      of: plugins.plugins, maxphyaddr: parts.width, encoder: encoder, standard: standard,
      check: check)
    mask?.generations = spec.mmioGenerations
    return mask
  }

  func error(_ message: String, line: Int) -> ScenarioError {
    ScenarioError(line: line, message)
  }
}
