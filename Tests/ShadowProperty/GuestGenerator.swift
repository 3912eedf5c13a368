import MMU
import Paging
package import Scenario
import TestSupport
import X86
import X86Guest

/// Thinks up what a guest does next.
package struct GuestGenerator {
  package let world: GuestWorld
  private let vcpus: Int
  private var random: SeededGenerator
  private var hasExtraSlot: Bool

  package init(_ world: GuestWorld, vcpus: Int, seed: UInt64, hasExtraSlot: Bool = true) {
    self.world = world
    self.vcpus = vcpus
    self.hasExtraSlot = hasExtraSlot
    random = SeededGenerator(seed: seed)
  }

  /// The tables that the guest begins with, written from outside.
  package mutating func beginning() -> [GuestOperation] {
    var operations = world.fixed.map { poke($0.0, $0.1) }
    for level in 1...world.top {
      for page in world.pages(at: level) {
        for address in world.addresses {
          let place = world.index(of: address, at: level) * UInt64(world.entrySize)
          operations.append(poke(GuestWorld.page(page) + place, world.entry(at: level, &random)))
        }
      }
    }
    return operations
  }

  private func poke(_ gpa: UInt64, _ value: UInt64) -> GuestOperation {
    let mask: UInt64 = world.entrySize == 4 ? 0xFFFF_FFFF : .max
    return .poke(gpa: gpa, value: value & mask, size: world.entrySize)
  }

  /// The next operation; registers are toggled from what they are.
  package mutating func next(_ machine: any ScenarioMachine) -> GuestOperation {
    let vcpu = random.below(vcpus)
    switch random.below(100) {
    case 0..<62: return access(vcpu)
    case 62..<82: return tableWrite(vcpu, machine)
    case 82..<89: return .invalidatePage(random.pick(world.addresses), vcpu: vcpu)
    case 89..<94:
      return .setRegister(.cr3, GuestWorld.page(random.pick(world.roots)), vcpu: vcpu)
    case 94:
      let registers = machine.processor(vcpu).registers
      if random.flip() {
        // CR0.WP alone drops nothing from the TLB, yet cached rights are judged by it.
        let cr0 = registers.cr0.symmetricDifference(.writeProtect)
        return .setRegister(.cr0, cr0.rawValue, vcpu: vcpu)
      }
      let bit: CR4 =
        random.flip() ? .supervisorExecutionPrevention : .supervisorAccessPrevention
      return .setRegister(.cr4, registers.cr4.symmetricDifference(bit).rawValue, vcpu: vcpu)
    case 95:
      let (gpa, value) = world.randomWrite(&random)
      return poke(gpa, value)
    case 96:
      hasExtraSlot.toggle()
      return hasExtraSlot ? .addSlot : .removeSlot
    case 97: return .unmap(gfn: 0x200, count: 1 + UInt64(random.below(16)))
    default: return access(vcpu)
    }
  }

  private mutating func access(_ vcpu: Int) -> GuestOperation {
    let page = random.pick(world.addresses) & ~0xFFF
    let kind = random.pick([AccessKind.read, .read, .write, .write, .fetch])
    let value = world.entry(at: 1 + random.below(min(world.top, 2)), &random)
    return .access(
      GuestAccess(
        kind: kind, isUser: random.flip(), alignmentCheck: random.oneIn(4),
        gva: page | random.pick([0, 0x10, 0x18, 0x38, 0x40]), size: 8,
        value: kind == .write ? UInt128(value) : 0, vcpu: vcpu))
  }

  /// A write through the window: whole entries mostly, halves, bytes and crossing ones too.
  private mutating func tableWrite(
    _ vcpu: Int, _ machine: any ScenarioMachine
  ) -> GuestOperation {
    let (gpa, entry) = world.randomWrite(&random)
    var offset: UInt64 = 0
    var size = world.entrySize
    switch random.below(12) {
    case 0:
      size = 4
      offset = random.flip() ? 0 : UInt64(world.entrySize - 4)
    case 1: size = 1
    case 2: size = 2
    case 3 where gpa & 0xFFF <= 0xFF0: size = 16
    default: break
    }
    var value = UInt128(entry >> (offset * 8))
    if size == 16 {
      // What follows the entry is repeated as it is.
      let after = UInt64(world.entrySize)
      let next = machine.memory.view.read(GPA(gpa + after), count: 16 - world.entrySize)
      value &= ~0 >> UInt128(128 - after * 8)
      value |= next.reversed().reduce(0) { $0 << 8 | UInt128($1) } << UInt128(after * 8)
    }
    value &= ~0 >> UInt128(128 - size * 8)
    return .access(
      GuestAccess(
        kind: .write, isUser: false, alignmentCheck: false,
        gva: world.window + (gpa - GuestWorld.base) + offset, size: size, value: value,
        vcpu: vcpu))
  }
}
