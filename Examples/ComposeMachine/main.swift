import MMU
import Machine
import Paging
import X86
import X86EPT
import X86Guest

// 4 MiB of guest memory: host page 0 stays unused, table pages come next, then the guest's pages.
let memory = GuestMemory(host: try HostMemory(byteCount: 8 << 20))
let ram = Memslot(id: 0, base: GFN(0), frameCount: 1024, host: HPA(4 << 20))
try memory.update { table throws(MemslotError) in try table.adding(ram) }

// A long-mode guest behind EPT.
let registers = X86Registers(
  cr0: [.protectionEnable, .paging], cr3: 0x1000, cr4: [.physicalAddressExtension],
  efer: [.longModeEnable, .longModeActive])
let guest = X86Processor(registers, X86Features(physicalAddressWidth: 40))
let mmu = try TDPMMU(
  encoder: EPTEncoder(EPTCapabilities(physicalAddressWidth: 40)), policy: DefaultPolicy(),
  memory: memory, pool: TablePool(first: PFN(1), limit: 64))
let machine = try Machine(guests: [guest], mmu: mmu)

// The guest maps one 2 MiB page; its tables are the pages from 0x2000 on.
var nextTable = GPA(0x2000)
try guest.regime.map(
  GVA(0x40_0000), to: GPA(0x20_0000), length: 2 << 20, pageSize: .size2MiB,
  permissions: [.read, .write], in: memory.view
) {
  defer { nextTable = nextTable.wrappingAdd(4096) }
  return nextTable
}

let written = machine.vcpu(0, access: X86Access(.write), at: GVA(0x40_0008), size: 8, value: 42)
print("write: \(written.outcome), EPT violations \(written.exits[.eptViolation])")
let read = machine.vcpu(0, access: X86Access(.read), at: GVA(0x40_0008), size: 8)
print("read: \(read.outcome), exits \(read.exits.total), TLB hit \(read.isTLBHit)")
