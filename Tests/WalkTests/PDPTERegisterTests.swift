import Paging
import TestSupport
import Testing
import X86
import X86Guest
import X86PAE

/// The four registers above a PAE walk.
@Suite("PDPTE registers")
struct PDPTERegisterTests {
  private let memory = GuestTestMemory()
  private let features = X86Features(physicalAddressWidth: 40)

  private func load(
    cr3: UInt64, _ strictness: PDPTERegisters.Strictness = .strict
  ) -> Result<
    (registers: PDPTERegisters, clearedBit5: Bool), PDPTELoadFailure<GuestTestMemory.Hole>
  > {
    PDPTERegisters.load(cr3: cr3, features: features, in: memory, strictness)
  }

  @Test("W1 W3 CR3 31:5 names the 32 bytes that are loaded")
  func loads() throws {
    for index in 0..<4 as Range<UInt64> { memory.poke(0x1FE0 + index * 8, index << 12 | 0xE19) }
    let loaded = try load(cr3: 0xABCD_0000_0000_1FFF).get()
    for index in 0..<4 { #expect(loaded.registers[index] == UInt64(index) << 12 | 0xE19) }
    #expect(!loaded.clearedBit5)
    #expect(PDPTERegisters.table(cr3: ~0) == 0xFFFF_FFE0)
  }

  @Test("W3 each reserved bit of a present entry refuses the load and is named", arguments: 0..<4)
  func reservedBits(index: Int) {
    for bit in 1..<64 as Range<UInt64> {
      memory.removeAll()
      memory.back(0)
      let entry: UInt64 = 1 << bit | 1
      memory.poke(UInt64(index) * 8, entry)
      let isReserved = (1...2).contains(bit) || (5...8).contains(bit) || bit >= 40
      switch load(cr3: 0) {
      case .success: #expect(!isReserved, "bit \(bit)")
      case .failure(.reservedBits(let place, let value, let bits)):
        #expect(isReserved && place == index && value == entry && bits == 1 << bit, "bit \(bit)")
      case .failure(.unreadable): Issue.record("bit \(bit) is unreadable")
      }
      memory.poke(UInt64(index) * 8, entry & ~1)
      #expect((try? load(cr3: 0).get()) != nil, "a not-present entry with bit \(bit)")
    }
  }

  @Test("W3 an image's bit 5 is cleared and told on request; the other bits stay refused")
  func bit5() throws {
    memory.poke(8, 0x5021 as UInt64)
    guard case .failure(.reservedBits(1, 0x5021, 0x20)) = load(cr3: 0) else {
      Issue.record("bit 5 passes a strict load")
      return
    }
    let loaded = try load(cr3: 0, .acceptingAccessedBit).get()
    #expect(loaded.clearedBit5)
    #expect(loaded.registers[1] == 0x5001)
    memory.poke(8, 0x5061 as UInt64)
    guard case .failure(.reservedBits(1, _, 0x40)) = load(cr3: 0, .acceptingAccessedBit) else {
      Issue.record("bit 6 passes with bit 5")
      return
    }
    memory.poke(8, 0x5020 as UInt64)
    #expect(try !load(cr3: 0, .acceptingAccessedBit).get().clearedBit5)
  }

  @Test("W3 W14 a CR3 outside the memory is unreadable, not a fault")
  func unreadable() {
    guard case .failure(.unreadable(let hole, 0x9000_0000)) = load(cr3: 0x9000_0000) else {
      Issue.record("a hole was loaded")
      return
    }
    #expect(hole.address == 0x9000_0000)
  }

  @Test("W3 later writes to their memory change nothing until they are loaded again")
  func registersStay() throws {
    let path = TablePath(.pae, address: 0x4012_3456)
    memory.removeAll()
    for index in 0..<4 as Range<UInt64> { path.memory.poke(0x6000 + index * 8, 0x2001 as UInt64) }
    var machine = path.machine
    machine.cr3 = 0x6000
    let registers = X86Registers(machine)
    let regime = try X86Regime.load(registers, X86Features(machine), in: path.memory).get().regime
    for index in 0..<4 as Range<UInt64> { path.memory.poke(0x6000 + index * 8, 0 as UInt64) }
    #expect(regime.outcome(path.address, .read, in: path.memory, Commit()).pa == 0x4000_0456)
    let again = try X86Regime.load(registers, X86Features(machine), in: path.memory).get().regime
    #expect(again.outcome(path.address, .write.byUser, in: path.memory, Commit()).error == 6)
    // A and D are set below; the registers have neither.
    #expect(path.memory.peek(0x6008, as: UInt64.self) == 0)
  }

  @Test("W3 each register covers one GiB and gives no rights of its own", arguments: 0..<4)
  func quarters(index: Int) throws {
    var path = TablePath(.pae, address: UInt64(index) << 30 | 0x12_3456)
    path.machine.pdptes = [0, 0, 0, 0]
    #expect(
      path.walk(.read)
        == .pageFault(
          error: 0, level: 3, cause: "not present", cr2: path.address))
    #expect(path.memory.loads == 0)
    path.machine.pdptes[index] = 0x2001
    let found = try #require(path.walk(.write.byUser).found)
    #expect(found.pa == 0x4000_0456)
    #expect(found.writable && found.user && found.executable)
    path.machine.pdptes = [0x2001, 0x2001, 0x2001, 0x2001]
    path.machine.pdptes[index] = ~1
    #expect(path.walk(.read).error == 0)
  }
}
