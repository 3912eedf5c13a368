internal import CBenchTwin
import Paging
import X86
import X86EPT
import X86Guest

/// A long4 guest's tables behind EPT, both in one buffer that is the host's memory.
///
/// Guest physical memory below `span` holds the guest's tables, from `span` on its pages; the EPT maps
/// both, with pages of the guest's own size. Pages are never read, so only tables need memory.
struct NestedTables: ~Copyable {
  /// What is mapped, with pages of which level, on both sides.
  struct Shape: Hashable {
    var leaf: Level
    /// **Bits** of the guest's span.
    var bits: Int

    static let small = Shape(leaf: .pageTable, bits: 30)
    static let large = Shape(leaf: .directory, bits: 36)
  }

  let shape: Shape
  let memory: BufferMemory
  let processor: X86Processor
  let format: EPTFormat
  let eptRoot: UInt64

  static var base: UInt64 { 0x0000_7A00_0000_0000 }

  init(_ shape: Shape) {
    self.shape = shape
    let features = X86Features(physicalAddressWidth: 46)
    format = EPTFormat(EPTCapabilities(physicalAddressWidth: 46))
    let guestTables = Self.tableCount(bits: shape.bits, leaf: shape.leaf)
    let eptTables = Self.tableCount(bits: shape.bits + 1, leaf: shape.leaf)
    eptRoot = 4096
    // At a 2 MiB border, since the EPT may map it so.
    let guestBase = PageSize.size2MiB.bytes * UInt64((1 + eptTables) / 512 + 1)
    memory = BufferMemory(byteCount: Int(guestBase) + max(guestTables, 512) * 4096)
    let span = (1 as UInt64) << UInt64(shape.bits)
    // The EPT: guest table page n is host page guestBase + n, any other is far away.
    var builder = Builder(memory: memory.handle(HostPhysical.self), next: eptRoot, leaf: shape.leaf)
    builder.map(bits: shape.bits + 1, base: 0, table: 0x107, leafBits: 0xF7) { gpa in
      gpa < span ? (shape.leaf == .pageTable ? guestBase + gpa : guestBase) : 1 << 40 + gpa
    }
    // The guest: its tables are at their GPA, so at GPA + guestBase in the buffer.
    var guest = Builder(
      memory: memory.handle(HostPhysical.self), next: guestBase, leaf: shape.leaf, offset: guestBase
    )
    guest.map(bits: shape.bits, base: Self.base, table: 7, leafBits: 7) { offset in
      span + offset
    }
    processor = X86Processor(
      X86Registers(
        cr0: [.protectionEnable, .paging, .writeProtect], cr3: 0,
        cr4: [.physicalAddressExtension, .supervisorExecutionPrevention],
        efer: [.longModeEnable, .longModeActive, .noExecuteEnable]), features)
  }

  /// One loop by the library: the guest's regime over a memory that is the EPT's view of the host.
  @inline(never)
  func run(count: Int) -> WalkLoop.Tally {
    guard case .long4(let guest) = processor.regime else { return WalkLoop.Tally() }
    let host = memory.handle(HostPhysical.self)
    let second = FormatRegime(format, root: TableRoot(eptRoot))
    let accesses = WalkLoop(base: Self.base, bits: shape.bits, count: count).accesses
    let kinds = accesses.span
    var tally = WalkLoop.Tally()
    var pattern = RandomPattern()
    let bits = UInt64(shape.bits)
    for step in 0..<count {
      let gva = GVA(Self.base &+ pattern.next(after: 0, bits: bits))
      let nested = NestedMemory(second: second, host: host, gva: gva)
      switch nested.translate(gva, for: kinds[step & 7], by: guest) {
      case .success(let both):
        let guest = both.guest
        let rights = guest.rights.granted & WalkLoop.rightsBits
        let tables = guest.tableRights.granted & WalkLoop.rightsBits
        tally.checksum &+=
          (guest.address.rawValue ^ guest.leaf) &+ both.host.address.rawValue &+ rights
          &+ tables &* 2 &+ UInt64(truncatingIfNeeded: guest.pageSize.shift)
      case .failure: tally.failures += 1
      }
    }
    return tally
  }

  /// The same loop by the twin.
  func runTwin(count: Int) -> WalkLoop.Tally {
    let registers = processor.registers
    var setup = cbt_setup(
      mode: CBT_LONG4, amd: false, gigabyte_pages: true, physical_width: 46,
      cr0: registers.cr0.rawValue, cr3: registers.cr3, cr4: registers.cr4.rawValue,
      efer: registers.efer.rawValue, pkru: 0, pkrs: 0, pdptes: (0, 0, 0, 0))
    var ept = cbt_ept(
      root: eptRoot, physical_width: 46, execute_only: true, pages_2m: true, pages_1g: true,
      accessed_dirty: true)
    let loop = WalkLoop(base: Self.base, bits: shape.bits, count: count)
    var work = unsafe loop.twinLoop(CBT_CHECKED, CBT_RANDOM, in: memory)
    // SAFETY: the three structures live through the call, which keeps none.
    let tally = unsafe cbt_run_nested(&setup, &ept, &work)
    return WalkLoop.Tally(checksum: tally.checksum, failures: tally.failures)
  }

  private static func tableCount(bits: Int, leaf: Level) -> Int {
    (leaf.rawValue...4).reduce(0) { $0 + 1 << max(0, bits - 3 - 9 * ($1 + 1)) }
  }

  /// Lays out four-level tables in order of their addresses.
  private struct Builder {
    var memory: BufferHandle<HostPhysical>
    var next: UInt64
    var leaf: Level
    /// What is taken from a table's place in the buffer to name it.
    var offset: UInt64 = 0

    mutating func take() -> UInt64 {
      defer { next += 4096 }
      return next
    }

    mutating func map(
      bits: Int, base: UInt64, table: UInt64, leafBits: UInt64, _ target: (UInt64) -> UInt64
    ) {
      var current: [UInt64] = [0, 0, 0, 0, 0]
      current[4] = take()
      let size = (1 as UInt64) << UInt64(3 + 9 * leaf.rawValue)
      let isLarge: UInt64 = leaf == .pageTable ? 0 : 0x80
      for number in 0..<((1 as UInt64) << UInt64(bits)) / size {
        let address = base + number * size
        for level in stride(from: 4, to: leaf.rawValue, by: -1) {
          let covered = (1 as UInt64) << UInt64(3 + 9 * level)
          guard number * size % covered == 0 else { continue }
          current[level - 1] = take()
          memory.store(
            (current[level - 1] - offset) | table, at: Self.place(current[level], address, level))
        }
        memory.store(
          target(number * size) | leafBits | isLarge,
          at: Self.place(current[leaf.rawValue], address, leaf.rawValue))
      }
    }

    private static func place(_ table: UInt64, _ address: UInt64, _ level: Int) -> UInt64 {
      table + (address >> UInt64(3 + 9 * level) & 511) * 8
    }
  }
}
