import Notation
import Paging
public import X86

/// Makes access cases of a mode, as many as wanted: mostly sound tables with one thing or another out of
/// the ordinary, and the outcome that the model gives.
public struct CaseGenerator: Sendable {
  private let mode: X86Mode
  private var numbers: SplitMix64
  private var count = 0

  /// - Parameters:
  ///   - mode: legacy32, pae, long4 or long5.
  ///   - seed: repeats the same cases.
  public init(mode: X86Mode, seed: UInt64) {
    self.mode = mode
    numbers = SplitMix64(seed: seed)
  }

  /// The next case.
  public mutating func next() -> AccessCase {
    let features = X86Features(physicalAddressWidth: width())
    let registers = registers()
    let address = address()
    var result = AccessCase(
      id: "\(mode.rawValue)-\(count)", mode: mode, registers: registers, features: features,
      memory: [:], address: address,
      access: X86Access(
        AccessKind.allCases.randomElement(using: &numbers) ?? .read, user: often(1, 2),
        implicit: false,
        alignmentCheck: often(1, 2)),
      expectation: AccessOutcome(.contended, changed: [:]))
    if result.access.kind != .fetch, !result.access.isUser, often(1, 16) {
      result.access.isImplicit = true
    }
    addTables(to: &result)
    result.expectation = result.run()
    count += 1
    return result
  }

  private mutating func often(_ times: UInt64, _ among: UInt64) -> Bool {
    UInt64.random(in: 0..<among, using: &numbers) < times
  }

  private mutating func width() -> Int {
    if often(3, 4) { return 40 }
    let widths = mode == .legacy32 ? [32, 36, 39, 52] : [36, 39, 42, 46, 48, 52]
    return widths.randomElement(using: &numbers) ?? 40
  }

  private mutating func registers() -> X86Registers {
    // PE, ET, NE and PG.
    var registers = X86Registers(mode, cr3: 0)
    registers.cr0 = CR0(rawValue: 0x8000_0031)
    if often(1, 2) { registers.cr0.insert(.writeProtect) }
    if mode != .legacy32 || often(3, 4) { registers.cr4.insert(.pageSizeExtensions) }
    if often(1, 2) { registers.cr4.insert(.globalPages) }
    if often(1, 3) { registers.cr4.insert(.supervisorExecutionPrevention) }
    if often(1, 3) { registers.cr4.insert(.supervisorAccessPrevention) }
    if often(3, 4) { registers.efer.insert(.noExecuteEnable) }
    if mode == .long4 || mode == .long5, often(1, 3) {
      registers.cr4.insert(.userProtectionKeys)
      registers.pkru = UInt32.random(in: 0...(.max), using: &numbers)
    }
    return registers
  }

  /// An address that the mode can have; in long modes now and then one that is not canonical.
  private mutating func address() -> GVA {
    let bits = UInt64.random(in: 0...(.max), using: &numbers)
    let width: Int
    switch mode {
    case .none, .legacy32, .pae: return GVA(bits & 0xFFFF_FFFF)
    case .long4: width = 48
    case .long5: width = 57
    }
    if often(1, 24) { return GVA(bits) }
    let unused = UInt64(64 - width)
    return GVA(UInt64(bitPattern: Int64(bitPattern: bits << unused) >> Int64(unused)))
  }

  /// The entries that the address goes through, each in a frame of its own.
  private mutating func addTables(to access: inout AccessCase) {
    let levels = Self.levels(of: mode)
    let all = Array(0x101..<0x300 as Range<UInt64>)
    var frames = all.shuffled(using: &numbers).prefix(levels.count)
    var table = (frames.popFirst() ?? 0x100) << 12
    access.registers.cr3 = table
    if mode == .pae {
      // The four entries are registers of 32 bytes.
      table |= UInt64.random(in: 0..<128, using: &numbers) << 5
      access.registers.cr3 = table
    } else {
      // PWT and PCD.
      access.registers.cr3 |= UInt64.random(in: 0..<4, using: &numbers) << 3
    }
    for (depth, level) in levels.enumerated() {
      let index = access.address.rawValue >> UInt64(level.shift) & level.indexMask
      let place = table + index * AccessCase.entrySize(mode)
      let isLeaf = depth == levels.count - 1 || level.mayBeLeaf && often(1, 4)
      let next = isLeaf ? nil : frames.popFirst()
      access.memory[place] = entry(
        level, leadingTo: next.map { $0 << 12 }, isLast: depth == levels.count - 1, access)
      guard let next else { return }
      table = next << 12
    }
  }

  /// One entry: sound, or out of the ordinary in one way.
  private mutating func entry(
    _ level: CaseLevel, leadingTo table: UInt64?, isLast: Bool, _ access: AccessCase
  ) -> UInt64 {
    let width = UInt64(access.features.physicalAddressWidth)
    let present: UInt64 = 1, large: UInt64 = 1 << 7
    // R/W and U/S mostly set; PWT, PCD, A, D, G and the software's bits as they come.
    var entry = UInt64.random(in: 0...(.max), using: &numbers) & 0xF78
    if often(4, 5) { entry |= 2 }
    if often(4, 5) { entry |= 4 }
    if !often(1, 24) { entry |= present }
    var address = table ?? UInt64.random(in: 0...(.max), using: &numbers)
    if mode == .legacy32 {
      address &= 0xFFFF_F000
      if table == nil, !isLast {
        // PSE-36: address bits above 4 GiB lie in 20:13.
        let high = often(1, 4) ? UInt64.random(in: 0..<256, using: &numbers) << 13 : 0
        return entry | large | address & 0xFFC0_0000 | high
      }
      return entry | address
    }
    address &= ((1 << width) - 1) & ~0xFFF
    if table == nil { address &= ~((1 << UInt64(level.shift)) - 1) }
    entry |= address
    if table == nil, !isLast { entry |= large }
    if mode == .pae, level.isRegister {
      // Only P, PWT, PCD and the address: reserved bits would refuse the load of CR3.
      return entry & (present | 0x18) | address
    }
    if often(1, 6) { entry |= 1 << 63 }
    if mode != .pae { entry |= UInt64.random(in: 0..<1 << 11, using: &numbers) << 52 }
    if often(1, 24) { entry |= oddity(level, isLeaf: table == nil, isLast: isLast, width) }
    return entry
  }

  /// A bit that this entry should not have, if there is one.
  private mutating func oddity(
    _ level: CaseLevel, isLeaf: Bool, isLast: Bool, _ width: UInt64
  ) -> UInt64 {
    if often(1, 2), width < 52 { return 1 << UInt64.random(in: width..<52, using: &numbers) }
    if isLeaf, !isLast {
      return 1 << UInt64.random(in: 13..<UInt64(level.shift), using: &numbers)
    }
    return isLast ? 0 : 1 << 7
  }

  /// The levels of a mode's tables, from the highest.
  private static func levels(of mode: X86Mode) -> [CaseLevel] {
    switch mode {
    case .none: []
    case .legacy32:
      [
        CaseLevel(shift: 22, indexMask: 1023, mayBeLeaf: true),
        CaseLevel(shift: 12, indexMask: 1023),
      ]
    case .pae:
      [CaseLevel(shift: 30, indexMask: 3, isRegister: true)] + lowest
    case .long4:
      [CaseLevel(shift: 39), CaseLevel(shift: 30, mayBeLeaf: true)] + lowest
    case .long5:
      [CaseLevel(shift: 48), CaseLevel(shift: 39), CaseLevel(shift: 30, mayBeLeaf: true)] + lowest
    }
  }

  private static let lowest = [CaseLevel(shift: 21, mayBeLeaf: true), CaseLevel(shift: 12)]
}

/// One level of a mode's tables.
private struct CaseLevel {
  /// The lowest bit of the address that selects an entry.
  var shift: Int
  var indexMask: UInt64 = 511
  /// Whether an entry may map a page, besides at the last level.
  var mayBeLeaf = false
  /// Whether the entries are registers (PAE).
  var isRegister = false
}
