import MMU
import Machine
import Paging
import PluginHost
import X86
import X86EPT
import X86Guest

/// A four-level guest with its root at 0x1000, on a processor of 40 address bits.
let guest = X86Processor(
  X86Registers(.long4, cr3: 0x1000), X86Features(physicalAddressWidth: 40))
/// That processor's EPT.
let ept = EPTCapabilities(physicalAddressWidth: 40)
/// 4 MiB of RAM.
let ram = GuestMemoryLayout(.ram(byteCount: 4 << 20))
/// A page that the guest maps, and the page behind it.
let page = (gva: GVA(0x40_0000), gpa: GPA(0x20_0000))

func guestBehindEPT() throws {
  let machine = try Machine(guests: [guest], mmu: TDPMMU(encoder: EPTEncoder(ept), memory: ram))
  var tables = GPA(0x2000)
  try machine.mapGuest(page.gva, to: page.gpa, tables: &tables)
  let written = machine.vcpu(0, access: .write, at: page.gva, size: 8, value: 42)
  print("  write: \(written.outcome), EPT violations \(written.exits[.eptViolation])")
  let read = machine.vcpu(0, access: .read, at: page.gva, size: 8)
  print("  read: \(read.outcome), TLB hit \(read.isTLBHit)")
}

func refusingPolicy() throws {
  let policy = RangePolicy(refusing: page.gpa..<page.gpa.wrappingAdd(4096))
  let mmu = try TDPMMU(encoder: EPTEncoder(ept), policy: policy, memory: ram)
  let machine = try Machine(guests: [guest], mmu: mmu)
  var tables = GPA(0x2000)
  try machine.mapGuest(page.gva, to: page.gpa, length: 8192, tables: &tables)
  for gva in [page.gva, page.gva.wrappingAdd(4096)] {
    print("  read of \(gva): \(machine.vcpu(0, access: .read, at: gva, size: 8).outcome)")
  }
}

/// Prints each exit.
struct ExitPrinter: MMUObserver {
  static var listens: Bool { true }
  func observe(_ event: MMUEvent) {
    if case .exit(let cause, let words) = event { print("  \(cause.rawValue): \(words)") }
  }
}

func observedExits() throws {
  let machine = try Machine(
    guests: [guest], mmu: TDPMMU(encoder: EPTEncoder(ept), memory: ram), observer: ExitPrinter())
  var tables = GPA(0x2000)
  try machine.mapGuest(page.gva, to: page.gpa, tables: &tables)
  _ = machine.vcpu(0, access: .read, at: page.gva, size: 8)
}

func loadedPlugin() throws {
  let plugin = try Plugin(
    path: "build/plugins/mmio_window.so",
    settings: ["window-start": "0x200000", "window-size": "0x1000"])
  let mask = try plugin.mmioMask(maxphyaddr: 40, encoder: "ept", standard: .ept)
  let mmu = try TDPMMU(
    encoder: EPTEncoder(ept, mmio: mask), policy: PluginPolicy(plugin), memory: ram)
  let machine = try Machine(guests: [guest], mmu: mmu)
  var tables = GPA(0x2000)
  try machine.mapGuest(page.gva, to: page.gpa, tables: &tables)
  print("  read: \(machine.vcpu(0, access: .read, at: page.gva, size: 8).outcome)")
}

func ownEncoder() throws {
  let encoder = try OriginEncoder(ept)
  print("  \(encoder.origin) (\(encoder.origin.whyFree))")
  let log = LeafLog(field: encoder.origin)
  let machine = try Machine(
    guests: [guest], mmu: TDPMMU(encoder: encoder, memory: ram), observer: log)
  var tables = GPA(0x2000)
  try machine.mapGuest(
    page.gva, to: page.gpa, length: 2 << 20, pageSize: .size2MiB, tables: &tables)
  _ = machine.vcpu(0, access: .write, at: page.gva, size: 8, value: 1)
  do {
    _ = try OriginEncoder(ept, bits: 57...57)
  } catch {
    print("  \(error)")
  }
}

func loggedFaults() throws {
  let mmu = LoggingMMU(try TDPMMU(encoder: EPTEncoder(ept), memory: ram))
  let machine = try Machine(guests: [guest], mmu: mmu)
  var tables = GPA(0x2000)
  try machine.mapGuest(page.gva, to: GPA(0xFEE0_0000), tables: &tables)
  _ = machine.vcpu(0, access: .read, at: page.gva, size: 4)
  for line in mmu.lines { print("  \(line)") }
}

/// A guest that uses addresses far apart, so that each wants tables of its own.
func hostileGuest() throws {
  let memory = GuestMemoryLayout(
    tablePages: 8, .ram(byteCount: 1 << 20, backing: .size4KiB),
    .ram(at: 1 << 32, byteCount: 1 << 20, backing: .size4KiB),
    .ram(at: 1 << 38, byteCount: 1 << 20, backing: .size4KiB))
  let flat = X86Processor(
    X86Registers(.long4, cr3: 0x1000), X86Features(physicalAddressWidth: 40))
  let mmu = try TDPMMU(encoder: EPTEncoder(ept), memory: memory)
  let machine = try Machine(guests: [flat], mmu: mmu)
  var tables = GPA(0x2000)
  for (index, gpa) in [GPA(1 << 32), GPA(1 << 38)].enumerated() {
    let gva = page.gva.wrappingAdd(UInt64(index) << 12)
    try machine.mapGuest(gva, to: gpa, tables: &tables)
    print("  \(gpa): \(machine.vcpu(0, access: .read, at: gva, size: 8).outcome)")
  }
  print("  \(mmu.tablePages) of 8 table pages; audit: \(mmu.audit())")
}
