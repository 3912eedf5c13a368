import Paging
import TestSupport

/// Random tables of one mode, dense enough that most walks arrive, with the odd bit flipped.
struct RandomTables {
  var machine = ReferenceMachine()
  var reference = ReferenceMemory()
  /// The frames that hold tables; the first is the root.
  private var frames: [UInt64] = []
  /// The table indices that hold entries.
  private var indices: [UInt64] = []
  private let mode: ReferenceMachine.Mode
  private var entryBytes: UInt64 { mode == .legacy32 ? 4 : 8 }
  private var indexBits: UInt64 { mode == .legacy32 ? 10 : 9 }

  init(_ mode: ReferenceMachine.Mode, _ random: inout SeededGenerator) {
    self.mode = mode
    setRegisters(&random)
    fill(&random)
  }

  /// A memory that holds the same tables.
  func write(to memory: GuestTestMemory) {
    memory.removeAll()
    for frame in reference.frames { memory.back(frame << 12) }
    memory.readOnlyFrames = reference.readOnlyFrames
    for (address, entry) in reference.entries {
      if mode == .legacy32 {
        memory.poke(address, UInt32(truncatingIfNeeded: entry))
      } else {
        memory.poke(address, entry)
      }
    }
  }

  // MARK: Registers

  private mutating func setRegisters(_ random: inout SeededGenerator) {
    machine.width = random.pick([32, 36, 39, 40, 46, 48, 52])
    machine.cr0 = 0x8000_0001 | (random.flip() ? 1 << 16 : 0)
    var cr4: UInt64 = mode == .legacy32 ? 0 : 1 << 5
    if mode == .long5 { cr4 |= 1 << 12 }
    for bit: UInt64 in [4, 7, 20, 21, 22, 23, 24] where random.flip() { cr4 |= 1 << bit }
    if random.oneIn(4) { cr4 |= 1 << 27 }
    if random.oneIn(4) { cr4 |= 1 << 28 }
    machine.cr4 = cr4
    machine.efer = (random.oneIn(4) ? 0 : 1 << 11)
    if mode == .long4 || mode == .long5 { machine.efer |= 0x500 }
    machine.pkru = random.oneIn(3) ? 0 : UInt32(truncatingIfNeeded: random.next())
    machine.pkrs = random.oneIn(3) ? 0 : UInt32(truncatingIfNeeded: random.next())
    machine.isAMD = random.oneIn(3)
    machine.hasNX = !random.oneIn(16)
    machine.hasPSE = !random.oneIn(16)
    machine.hasPSE36 = !random.oneIn(3)
    machine.hasGigabytePages = !random.oneIn(4)
    machine.hasSMEP = !random.oneIn(16)
    machine.hasSMAP = !random.oneIn(16)
    machine.hasPKU = !random.oneIn(16)
    machine.hasPKS = !random.oneIn(16)
    machine.hasLAM = !random.oneIn(16)
    machine.hasLASS = !random.oneIn(16)
    machine.hasShadowStacks = !random.oneIn(16)
  }

  // MARK: Entries

  private mutating func fill(_ random: inout SeededGenerator) {
    let width = mode == .legacy32 ? 32 : machine.width
    let frameMask = (1 << UInt64(width - 12)) - 1 as UInt64
    frames = (0..<6).map { _ in random.next() & frameMask }
    indices = [0, (1 << indexBits) - 1, random.next() & ((1 << indexBits) - 1)]
    reference.frames = Set(frames)
    if random.oneIn(4) { reference.readOnlyFrames.insert(random.pick(frames)) }
    machine.cr3 = frames[0] << 12 | (random.next() & 0x18)
    if random.oneIn(3) { machine.cr3 |= 1 << 61 }
    if random.oneIn(3) { machine.cr3 |= 1 << 62 }
    machine.pdptes = (0..<4).map { _ in
      random.oneIn(8) ? random.next() & ~1 : random.pick(frames) << 12 | 0xE19
    }
    for (number, frame) in frames.enumerated() {
      for index in indices {
        reference.entries[(frame << 12) + index * entryBytes] =
          entry(at: max(levels - number, 1), number, frameMask, &random)
      }
    }
  }

  /// An entry that mostly is legal at its level and leads to the next frame.
  private func entry(
    at level: Int, _ number: Int, _ frameMask: UInt64, _ random: inout SeededGenerator
  ) -> UInt64 {
    var entry: UInt64 = random.oneIn(20) ? 0 : 1
    if !random.oneIn(8) { entry |= 2 }
    if !random.oneIn(4) { entry |= 4 }
    entry |= random.next() & 0xE78
    let isLarge = level == 2 || level == 3 ? random.oneIn(3) : random.oneIn(level == 1 ? 2 : 60)
    if isLarge { entry |= 0x80 }
    if level < 4 ? random.flip() : random.oneIn(30) { entry |= 0x100 }
    let next = number + 1 < frames.count ? frames[number + 1] : frames[number]
    var frame = random.oneIn(8) ? random.pick(frames) : next
    if random.oneIn(24) { frame = random.next() & frameMask }
    // Large pages need clean low address bits.
    let isClean = isLarge && level > 1 && !random.oneIn(16)
    entry |= isClean ? frame << 12 & ~0x3FFF_F000 : frame << 12
    if mode == .legacy32 {
      if isLarge && level == 2 { entry |= random.next() & (random.oneIn(6) ? 0x3F_F000 : 0x1_F000) }
    } else {
      if random.oneIn(machine.nxe ? 6 : 60) { entry |= 1 << 63 }
      if mode != .pae && random.flip() { entry |= random.next() & 0x7FF0_0000_0000_0000 }
    }
    let bits: UInt64 = mode == .legacy32 ? 32 : 64
    if random.oneIn(16) { entry ^= 1 << (random.next() % bits) }
    return mode == .legacy32 ? entry & 0xFFFF_FFFF : entry
  }

  // MARK: Accesses

  /// An address that the tables mostly cover.
  func address(_ random: inout SeededGenerator) -> UInt64 {
    var address = random.next() & 0xFFF
    var shift: UInt64 = 12
    for _ in 0..<levels {
      let index = random.oneIn(16) ? random.next() & ((1 << indexBits) - 1) : random.pick(indices)
      address |= index << shift
      shift += indexBits
    }
    if mode == .pae { address |= (random.next() & 3) << 30 }
    if mode == .pae || mode == .legacy32 {
      // Bits above 31 are nothing to 32-bit code.
      return random.oneIn(8) ? address | random.next() << 32 : address
    }
    let isUpper = address >> (shift - 1) & 1 == 1
    if isUpper { address |= ~0 << shift }
    // Tags for LAM, and addresses that are not canonical.
    if random.oneIn(4) { address ^= random.next() & random.pick(Self.tags) }
    return address
  }

  private static let tags: [UInt64] = [
    0x7E00_0000_0000_0000, 0x7FFF_0000_0000_0000, 0x7FFF_8000_0000_0000, 1 << 63, 1 << 47, 1 << 56,
  ]

  private var levels: Int {
    switch mode {
    case .long5: 5
    case .long4: 4
    default: 2
    }
  }

  /// Any access.
  func access(_ random: inout SeededGenerator) -> ReferenceAccess {
    var access = ReferenceAccess(random.pick(ReferenceAccess.Kind.allCases))
    access.user = random.flip()
    access.implicit = random.oneIn(6)
    access.ac = random.flip()
    access.stack = random.oneIn(4)
    access.shadowStack = access.kind != .fetch && random.oneIn(6)
    return access
  }
}
