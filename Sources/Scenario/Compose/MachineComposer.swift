import GuestImage
import MMU
import Machine
import Paging
import PluginHost
import SystemPackage
import X86
import X86EPT
import X86Guest
import X86NPT
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
    var recorder: EventRecorder
    var bus: MMIOBus
    /// Where the memory of a slot that a step adds begins, by the region's line.
    var spare: [Int: HPA]
    /// What was assumed or tolerated, for people.
    var notes: [String]
    /// One line that says what the machine is.
    var summary: String
  }

  func compose() throws(ScenarioError) -> Result {
    let images = try openImages()
    var notes: [String] = []
    let resolved = try registers(images, &notes)
    var spare: [Int: HPA] = [:]
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
    let machine = try makeMachine(processor, memory, pool, bus, recorder)
    return Result(
      machine: machine, recorder: recorder, bus: bus, spare: spare, notes: notes,
      summary: "\(processor.regime.mode.rawValue) guest behind \(spec.mmu.rawValue),"
        + " MAXPHYADDR \(resolved.features.physicalAddressWidth),"
        + " \(spec.vcpuCount) vCPU\(spec.vcpuCount == 1 ? "" : "s")")
  }

  private func makeMachine(
    _ processor: X86Processor, _ memory: GuestMemory, _ pool: TablePool, _ bus: MMIOBus,
    _ recorder: EventRecorder
  ) throws(ScenarioError) -> any ScenarioMachine {
    let tlb = spec.tlb ?? .standard
    let guests = Array(repeating: processor, count: spec.vcpuCount)
    let policy = PolicyStack(plugins.policies)
    let width = processor.features.physicalAddressWidth
    do {
      switch spec.mmu {
      case .ept:
        let capabilities = EPTCapabilities(
          physicalAddressWidth: width, levels: width > 48 ? 5 : 4,
          accessedDirty: spec.features?.contains("ad") ?? true)
        let mask = try Plugin.mmioMask(
          of: plugins.plugins, maxphyaddr: width, encoder: "ept", standard: .ept
        ) { mask throws(LayoutError) in
          _ = try EPTEncoder(capabilities, mmio: mask)
        }
        let encoder = try EPTEncoder(capabilities, mmio: mask)
        let mmu = try TDPMMU(
          encoder: encoder, policy: policy, memory: memory, pool: pool,
          nxHugePages: spec.nxHugePages)
        return try Machine(guests: guests, mmu: mmu, bus: bus, tlb: tlb, observer: recorder)
      case .shadow:
        let mmu = try shadowMMU(processor, policy, memory, pool)
        return try Machine(guests: guests, mmu: mmu, bus: bus, tlb: tlb, observer: recorder)
      case .npt:
        let capabilities = NPTCapabilities(
          physicalAddressWidth: width, form: width > 48 ? .long5 : .long4,
          pages1GiB: spec.features?.contains("gbpages") ?? true,
          noExecute: spec.features?.contains("nx") ?? true)
        let mask = try Plugin.mmioMask(
          of: plugins.plugins, maxphyaddr: width, encoder: "npt",
          standard: .npt(physicalAddressWidth: width)
        ) { mask throws(LayoutError) in
          _ = try NPTEncoder(capabilities, mmio: mask)
        }
        let encoder = try NPTEncoder(capabilities, mmio: mask)
        let mmu = try TDPMMU(
          encoder: encoder, policy: policy, memory: memory, pool: pool,
          nxHugePages: spec.nxHugePages)
        return try Machine(guests: guests, mmu: mmu, bus: bus, tlb: tlb, observer: recorder)
      }
    } catch {
      throw self.error("\(error)", line: spec.line)
    }
  }

  func error(_ message: String, line: Int) -> ScenarioError {
    ScenarioError(line: line, message)
  }
}
