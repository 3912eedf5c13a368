internal import CBenchTwin
import Paging
import X86
import X86Guest
import X86PAE

/// A guest's page tables, laid out in a buffer for the walks to be timed on.
///
/// Every 4 KiB page of the span is mapped, writable, for users, to a frame of its own. The pages of
/// the tables are shuffled, as a running guest's are; A and D start clear.
struct GuestTables: ~Copyable {
  /// What is mapped.
  struct Shape: Hashable {
    var mode: X86Mode
    /// **Bits** of the span's size: 32 for 4 GiB.
    var bits: Int
    /// The first address of the span.
    var base: UInt64

    static let long4 = Shape(mode: .long4, bits: 32, base: 0x0000_7A00_0000_0000)
    static let long4Large = Shape(mode: .long4, bits: 36, base: 0x0000_7A00_0000_0000)
    static let long5 = Shape(mode: .long5, bits: 32, base: 0x0012_7A00_0000_0000)
    static let pae = Shape(mode: .pae, bits: 32, base: 0)
    static let legacy32 = Shape(mode: .legacy32, bits: 32, base: 0)
  }

  var shape: Shape
  let memory: BufferMemory
  /// The registers of a processor that uses the tables.
  var registers: X86Registers
  var pdptes: [UInt64] = [0, 0, 0, 0]
  var features: X86Features

  init(_ shape: Shape) {
    self.shape = shape
    features = X86Features(physicalAddressWidth: 46)
    var cr4: CR4 = [.pageSizeExtensions, .supervisorExecutionPrevention]
    cr4.formUnion([.supervisorAccessPrevention, .userProtectionKeys])
    if shape.mode != .legacy32 { cr4.insert(.physicalAddressExtension) }
    if shape.mode == .long5 { cr4.insert(.linearAddress57) }
    let isLong = shape.mode == .long4 || shape.mode == .long5
    registers = X86Registers(
      cr0: [.protectionEnable, .paging, .writeProtect], cr3: 0, cr4: cr4,
      efer: isLong
        ? [.longModeEnable, .longModeActive, .noExecuteEnable] : [.noExecuteEnable],
      // Every key but the first denied: what Linux gives a process.
      pkru: 0x5555_5554)
    let indexBits = shape.mode == .legacy32 ? 10 : 9
    var tables = 1
    for level in 1...Self.levels(shape.mode) {
      tables += 1 << max(0, shape.bits - 12 - indexBits * level)
    }
    memory = BufferMemory(byteCount: (tables + 1) * 4096)
    fill()
  }

  /// The regime of that processor.
  var regime: X86Regime {
    X86Regime(
      registers, features,
      pdptes: PDPTERegisters(pdptes[0], pdptes[1], pdptes[2], pdptes[3]))
  }

  /// The same for the twin, which derives its own masks.
  var setup: cbt_setup {
    cbt_setup(
      mode: Self.twinMode(shape.mode), amd: features.vendor == .amd,
      gigabyte_pages: features.gigabytePages,
      physical_width: UInt8(features.physicalAddressWidth), cr0: registers.cr0.rawValue,
      cr3: registers.cr3, cr4: registers.cr4.rawValue, efer: registers.efer.rawValue,
      pkru: registers.pkru, pkrs: registers.pkrs,
      pdptes: (pdptes[0], pdptes[1], pdptes[2], pdptes[3]))
  }

  private static func levels(_ mode: X86Mode) -> Int {
    switch mode {
    case .none, .legacy32: 2
    case .pae: 3
    case .long4: 4
    case .long5: 5
    }
  }

  private static func twinMode(_ mode: X86Mode) -> cbt_mode {
    switch mode {
    case .none, .legacy32: CBT_LEGACY32
    case .pae: CBT_PAE
    case .long4: CBT_LONG4
    case .long5: CBT_LONG5
    }
  }

  /// Lays the tables out, from nothing; A and D are clear afterwards.
  mutating func fill() {
    memory.clear()
    let levels = Self.levels(shape.mode)
    let isLegacy = shape.mode == .legacy32
    let indexBits = isLegacy ? 10 : 9
    let entrySize: UInt64 = isLegacy ? 4 : 8
    let pageCount = UInt64(memory.byteCount / 4096) - 1
    // Page 0 stays empty; the others are handed out in steps of a number prime to their count.
    var step: UInt64 = 0x9E37_79B1
    while Self.commonDivisor(step, pageCount) != 1 { step += 2 }
    var handedOut: UInt64 = 0
    func newTable() -> UInt64 {
      handedOut += 1
      return (1 + handedOut % pageCount * (step % pageCount) % pageCount) * 4096
    }
    func place(_ table: UInt64, _ address: UInt64, _ level: Int) -> UInt64 {
      let index = address >> UInt64(12 + indexBits * (level - 1)) & (1 << UInt64(indexBits) - 1)
      return table + index * entrySize
    }
    func write(_ entry: UInt64, _ at: UInt64) {
      if isLegacy {
        memory.store(UInt32(truncatingIfNeeded: entry), at: at)
      } else {
        memory.store(entry, at: at)
      }
    }

    let root = newTable()
    let frames: UInt64 = 1 << UInt64(isLegacy ? 20 : 30)
    // The table in use at each level; the addresses come in order, so one of each is enough.
    var current = [UInt64](repeating: 0, count: levels + 1)
    current[levels] = root
    for page in 0..<(UInt64(1) << UInt64(shape.bits - 12)) {
      let address = shape.base + page << 12
      for level in stride(from: levels, to: 1, by: -1) {
        let covered = UInt64(1) << UInt64(indexBits * (level - 1))
        guard page % covered == 0 else { continue }
        current[level - 1] = newTable()
        let isPDPTE = shape.mode == .pae && level == 3
        write(current[level - 1] | (isPDPTE ? 1 : 7), place(current[level], address, level))
      }
      let frame = page &* 0x9E37_79B1 % frames
      write(frame << 12 | 7, place(current[1], address, 1))
    }
    registers.cr3 = root
    if shape.mode == .pae {
      for index in 0..<4 {
        pdptes[index] = unsafe memory.bytes.load(
          fromByteOffset: Int(root) + index * 8, as: UInt64.self)
      }
    }
  }

  private static func commonDivisor(_ left: UInt64, _ right: UInt64) -> UInt64 {
    right == 0 ? left : commonDivisor(right, left % right)
  }
}
