public import Paging
public import X86

/// The four page-directory-pointer entries that the processor holds in registers in PAE paging.
///
/// They are loaded from the 32 bytes that CR3 names and do not follow later writes to that memory
/// (SPEC W3).
///
/// **Source** Intel SDM Vol. 3A, "PDPTE Registers".
@frozen
public struct PDPTERegisters: Sendable {
  // PERF: walk.pae.random; an array would be copied to memory before each look.
  @usableFromInline let first: UInt64
  @usableFromInline let second: UInt64
  @usableFromInline let third: UInt64
  @usableFromInline let fourth: UInt64

  /// Registers with the given values, not checked.
  @inlinable
  public init(_ first: UInt64, _ second: UInt64, _ third: UInt64, _ fourth: UInt64) {
    self.first = first
    self.second = second
    self.third = third
    self.fourth = fourth
  }

  /// One register. **Requires** an index in 0...3; higher bits are ignored.
  @inlinable
  @inline(__always)
  public subscript(index: Int) -> UInt64 {
    let low = index & 1 == 0 ? first : second
    let high = index & 1 == 0 ? third : fourth
    return index & 2 == 0 ? low : high
  }

  /// The address that CR3 names: bits 31:5.
  @inlinable
  public static func table(cr3: UInt64) -> UInt64 { cr3 & 0xFFFF_FFE0 }

  /// What loading does with bit 5, which the manual reserves.
  @frozen
  public enum Strictness: Sendable {
    /// As hardware: a present entry with bit 5 is #GP.
    case strict
    /// For images: QEMU's emulator sets A (bit 5) in these entries; it is cleared on loading.
    case acceptingAccessedBit
  }

  /// Reserved in a present entry: 2:1, 8:5 and 63:M.
  public static func reservedBits(_ features: X86Features) -> UInt64 {
    ~features.physicalAddressMask | 0x1E6
  }

  /// Loads the four entries that CR3 names, as MOV CR3 does.
  ///
  /// - Returns: the registers, and whether a tolerated bit 5 was cleared; or why the old four stay.
  public static func load<Memory: EntryMemory & ~Copyable>(
    cr3: UInt64, features: X86Features, in memory: borrowing Memory,
    _ strictness: Strictness = .strict
  ) -> Result<(registers: PDPTERegisters, clearedBit5: Bool), PDPTELoadFailure<Memory.Failure>> {
    var loaded: InlineArray<4, UInt64> = .init(repeating: 0)
    var clearedBit5 = false
    let reserved = reservedBits(features)
    for index in 0..<4 {
      let address = table(cr3: cr3) + UInt64(index) * 8
      var entry: UInt64
      switch memory.load(Address<Memory.Space>(address), as: UInt64.self) {
      case .success(let value): entry = value
      case .failure(let failure): return .failure(.unreadable(failure, entry: address))
      }
      if entry & 1 != 0 {
        if strictness == .acceptingAccessedBit, entry & 0x20 != 0 {
          entry &= ~0x20
          clearedBit5 = true
        }
        if entry & reserved != 0 {
          return .failure(.reservedBits(index: index, entry: entry, bits: entry & reserved))
        }
      }
      loaded[index] = entry
    }
    let registers = PDPTERegisters(loaded[0], loaded[1], loaded[2], loaded[3])
    return .success((registers, clearedBit5))
  }
}
