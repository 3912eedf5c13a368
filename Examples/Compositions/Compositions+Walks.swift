import GuestImage
import Machine
import Paging
import SystemPackage
import X86
import X86Guest

/// The memory of a real guest, and the registers that its dump recorded.
func walkImage() throws {
  let image = try GuestImage(contentsOf: "Examples/images/showcase.core")
  let space = try ImageAddressSpace(image, ImageRegisters(of: image))
  let found = try space.translate(GVA(0xffff_ffff_8720_01a0), Probe()).get()
  print("  GPA \(found.address), in a page of \(found.pageSize)")
}

/// Entries in a dictionary: whatever answers loads of entries can be walked.
struct EntryDictionary: EntryMemory {
  typealias Space = GuestPhysical
  struct Hole: Error { let gpa: GPA }
  var entries: [UInt64: UInt64]

  func load<Entry: TableEntry>(
    _ address: GPA, as type: Entry.Type
  ) -> Result<Entry, Hole> {
    guard let entry = entries[address.rawValue] else { return .failure(Hole(gpa: address)) }
    return .success(Entry(truncatingIfNeeded: entry))
  }

  func compareExchange<Entry: TableEntry>(
    _ address: GPA, expected: Entry, desired: Entry
  ) -> Result<EntryExchange, Hole> { .success(.readOnly) }
}

/// A five-level guest whose tables are five words.
func ownMemory() throws {
  let memory = EntryDictionary(
    entries: [
      0x1000: 0x2007, 0x2000: 0x3007, 0x3000: 0x4007, 0x4008: 0x5007, 0x5018: 0xABC007,
    ])
  let guest = X86Processor(
    X86Registers(.long5, cr3: 0x1000), X86Features(physicalAddressWidth: 40))
  for address in [GVA(0x20_3123), GVA(0x20_4000)] {
    switch guest.translate(address, for: X86Access(.read, user: true), in: memory, Judge()) {
    case .success(let found): print("  \(address) is \(found.address)")
    case .failure(.unreadable(let hole, _, let level)):
      print("  \(address): no entry of level \(level) at \(hole.gpa)")
    case .failure(let why): print("  \(address): \(why)")
    }
  }
}

/// `ToyFormat` under the walker, and as the guest of a whole machine.
func ownFormat() throws {
  let machine = try toyMachine()
  let report = machine.vcpu(
    0, access: ToyAccess(kind: .write), at: GVA(0x1_2034), size: 4, value: 7)
  print("  write: \(report.outcome) at GPA \(report.gpa?.description ?? "none")")
  let refused = machine.vcpu(0, access: ToyAccess(kind: .fetch), at: GVA(0x1_2034), size: 4)
  print("  fetch: \(refused.outcome)")
}
