import MMU
import Machine
import Paging
package import Scenario
import X86
import X86Guest

/// Operations done one by one on a machine, each compared with the reference.
package struct GuestTrial {
  package let machine: any ScenarioMachine
  var reference: TLBReference
  private let extraSlot: Memslot?
  /// Operations so far.
  package private(set) var count = 0
  /// Accesses that went through, and that did not.
  package internal(set) var granted = 0, refused = 0
  /// Accesses that went where the tables no longer lead.
  package internal(set) var staleUses = 0

  /// How many operations lie between two audits.
  private static var auditStride: Int { 1000 }

  package init(_ world: GuestWorld, on machine: any ScenarioMachine) {
    self.machine = machine
    extraSlot = machine.memory.slots.slots.first {
      $0.base == GPA(GuestWorld.extraSlot).frame
    }
    reference = TLBReference(
      pages: world.usedPages, entrySize: world.entrySize, vcpus: machine.vcpuCount)
    for vcpu in 0..<machine.vcpuCount {
      reference.follow(vcpu, machine.processor(vcpu), machine.memory)
    }
  }

  var guests: [X86Processor] { (0..<machine.vcpuCount).map(machine.processor) }
  var memory: GuestMemory { machine.memory }

  /// Does an operation and compares what came of it.
  package mutating func perform(_ operation: GuestOperation) throws(Difference) {
    count += 1
    machine.ledger?.beginStep(count)
    switch operation {
    case .access(let access): try perform(access)
    case .poke(let gpa, let value, let size): poke(gpa, value, size)
    case .invalidatePage(let gva, let vcpu):
      machine.invalidatePage(vcpu, GVA(gva))
      reference.invalidate(vcpu, page: gva)
    case .setRegister(let register, let value, let vcpu):
      let before = machine.processor(vcpu)
      // PAE's registers are loaded from tables that may be malformed by now.
      guard (try? machine.setRegister(vcpu, register, value)) != nil else { break }
      reference.follow(vcpu, from: before, to: machine.processor(vcpu), memory)
      if register == .cr3 { reference.invalidate(vcpu) }
    case .addSlot, .removeSlot: changeSlots(isAdding: operation == .addSlot)
    case .unmap(let gfn, let count):
      _ = machine.maintenance?.unmapHost(GFN(gfn)..<GFN(gfn + count)) {}
    case .audit: try audit()
    }
    if count % Self.auditStride == 0 { try audit() }
  }

  /// Checks every invariant of the tables (SPEC F18).
  package func audit() throws(Difference) {
    guard let breaches = machine.audit(), !breaches.isEmpty else { return }
    throw Difference(
      kind: .audit, description: "audit: " + breaches.prefix(5).joined(separator: "; "))
  }

  private mutating func poke(_ gpa: UInt64, _ value: UInt64, _ size: Int) {
    let concerned = reference.concerned(by: [gpa..<gpa + UInt64(size)], guests, memory)
    let bytes = (0..<size).map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) }
    // SAFETY: an array of bytes has no padding.
    _ = unsafe memory.view.write(bytes.span.bytes, at: GPA(gpa))
    reference.note(concerned, guests, memory)
  }

  /// A slot that is there already, or not there, stays so: a run that was cut short may ask for it.
  private mutating func changeSlots(isAdding: Bool) {
    guard let slot = extraSlot else { return }
    try? machine.changeSlots(dropsTranslations: !isAdding) { table throws(MemslotError) in
      isAdding ? try table.adding(slot) : try table.removing(id: slot.id)
    }
    for (vcpu, guest) in guests.enumerated() { reference.follow(vcpu, guest, memory) }
  }
}
