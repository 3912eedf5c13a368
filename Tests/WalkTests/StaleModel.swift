import Paging
import TestSupport
import X86
import X86Guest
import X86Long

/// What a processor with paging-structure caches may answer: every entry above a leaf as it is, or as it
/// was at any time since the last invalidation while it was present, legal and accessed.
struct StaleModel {
  /// How a walk ends.
  enum End: Hashable {
    case page(GPA, granted: UInt64, tables: UInt64)
    case fault(FaultCause, Level)
    case hole(entry: UInt64, Level)
  }

  let memory = GuestTestMemory()
  let regime: X86Regime
  private let format: Long4
  private let frames: [UInt64] = (1...6).map { $0 << 12 }
  /// By place, what an entry has been since the last invalidation.
  private var past: [UInt64: Set<UInt64>] = [:]

  private static let indices: [UInt64] = [0, 1]
  /// P, A, and any of R/W and U/S; the page of the address bits.
  private static let flags: [UInt64] = [0x21, 0x23, 0x25, 0x27]

  init(_ random: inout SeededGenerator) {
    let registers = X86Registers(
      cr0: CR0(rawValue: 0x8001_0001), cr3: 0x1000, cr4: CR4(rawValue: 1 << 5),
      efer: EFER(rawValue: 0xD00))
    let features = X86Features(physicalAddressWidth: 40)
    regime = X86Regime(registers, features)
    format = Long4(registers, features)
    for frame in frames { memory.back(frame) }
    for frame in frames {
      for index in Self.indices { memory.poke(frame + index * 8, entry(&random)) }
    }
  }

  private func entry(_ random: inout SeededGenerator) -> UInt64 {
    if random.oneIn(12) { return 0 }
    var entry = random.pick(frames) | random.pick(Self.flags)
    if random.oneIn(8) { entry &= ~0x20 }
    if random.oneIn(8) { entry |= 1 << 63 }
    if random.oneIn(16) { entry |= 1 << 45 }
    if random.oneIn(16) { entry = 0xFF_0000_0021 }
    return entry
  }

  /// Changes one entry without an invalidation.
  mutating func change(_ random: inout SeededGenerator) {
    let place = random.pick(frames) + random.pick(Self.indices) * 8
    past[place, default: []].insert(memory.peek(place, as: UInt64.self))
    memory.poke(place, entry(&random))
  }

  /// Everything is invalidated.
  mutating func forget() { past = [:] }

  func address(_ random: inout SeededGenerator) -> GVA {
    GVA([12, 21, 30, 39].reduce(0x123) { $0 | random.pick(Self.indices) << $1 })
  }

  /// Every end that a walk may have.
  func allowed(_ address: GVA) -> Set<End> {
    var ends: Set<End> = []
    follow(address, 0x1000, Level(4), format.unrestricted, &ends)
    return ends
  }

  private func follow(
    _ address: GVA, _ table: UInt64, _ level: Level, _ rights: X86Rights, _ ends: inout Set<End>
  ) {
    let place = table + format.index(of: address.rawValue, at: level) * 8
    guard case .success(let now) = memory.load(GPA(place), as: UInt64.self) else {
      ends.insert(.hole(entry: place, level))
      return
    }
    var granted = rights
    format.narrow(&granted, by: now, at: level)
    switch format.kind(of: now, at: level) {
    case .notPresent: ends.insert(.fault(.notPresent, level))
    case .reserved: ends.insert(.fault(.reservedBit, level))
    case .table: follow(address, now & 0xFF_FFFF_F000, level.below, granted, &ends)
    case .leaf:
      ends.insert(
        .page(
          GPA(now & 0xFF_FFFF_F000 | address.rawValue & 0xFFF),
          granted: granted.granted & Self.mask,
          tables: rights.granted & Self.mask))
    }
    guard level > .pageTable else { return }
    for old in past[place] ?? [] where old & 0x20 != 0 && format.kind(of: old, at: level) == .table
    {
      var granted = rights
      format.narrow(&granted, by: old, at: level)
      follow(address, old & 0xFF_FFFF_F000, level.below, granted, &ends)
    }
  }

  private static let mask: UInt64 = 1 << 63 | 6
}

extension StaleModel.End {
  init(
    _ outcome: Result<
      Translation<GuestPhysical, X86Rights>, WalkFailure<X86Fault, GuestTestMemory.Hole>
    >
  ) {
    let mask: UInt64 = 1 << 63 | 6
    switch outcome {
    case .success(let found):
      self = .page(
        found.address, granted: found.rights.granted & mask,
        tables: found.tableRights.granted & mask)
    case .failure(.fault(let fault)): self = .fault(fault.cause, fault.level)
    case .failure(.unreadable(_, let entry, let level)): self = .hole(entry: entry, level)
    case .failure(.contended): self = .hole(entry: ~0, Level(0))
    }
  }
}
