import X86

/// A page, or 32 bytes of one, that is a root as far as the tables below it tell.
struct FoundRoot {
  let address: UInt64
  let mode: X86Mode
  let mappings: Int
  /// What the part below the upper one maps. **Units** pages.
  let lowerMappings: Int
  /// Entries of that part, whether they lead to pages or not. **Units** entries.
  let lowerCount: Int
  /// The entries of the upper part without A and D, hashed in order; 0 where there are none.
  let upperPart: Int
  /// **Units** entries.
  let upperCount: Int

  /// Fewer pages prove nothing: any word that points to a page would do.
  private static var fewestMappings: Int { 16 }
  private static var marks: UInt64 { 0x60 }

  /// A PML4 or PML5 table.
  init?(wide address: UInt64, _ mode: X86Mode, _ judge: inout TableJudge) {
    let levels = mode == .long5 ? 5 : 4
    guard let mapped = judge.mappings(of: address, at: levels), mapped >= Self.fewestMappings
    else { return nil }
    var hasher = Hasher()
    var (lower, lowerCount, upper) = (0, 0, 0)
    for index in 0..<512 {
      let entry = judge.entry(address, index)
      guard entry & 1 != 0 else { continue }
      if index < 256 {
        lowerCount += 1
        lower += judge.mappings(of: entry & TableJudge.addressMask, at: levels - 1) ?? 0
      } else if entry & TableJudge.addressMask != address {
        // An entry that maps the tables themselves is every root's own.
        upper += 1
        hasher.combine(index)
        hasher.combine(entry & ~Self.marks)
      }
    }
    self.init(
      address: address, mode: mode, mappings: mapped, lowerMappings: lower, lowerCount: lowerCount,
      upperPart: upper == 0 ? 0 : hasher.finalize(), upperCount: upper)
  }

  /// A page directory of 4-byte entries.
  init?(narrow address: UInt64, _ judge: inout TableJudge) {
    var hasher = Hasher()
    var (mapped, lower, lowerCount, upper) = (0, 0, 0, 0)
    var (present, bad) = (0, 0)
    for index in 0..<1024 {
      let entry = judge.narrowEntry(address, index)
      guard entry & 1 != 0 else { continue }
      present += 1
      var below = 0
      if entry & 0x80 != 0 {
        if entry & 0x003F_E000 == 0 { below = 1 } else { bad += 1 }
      } else if let count = judge.narrowMappings(of: UInt64(entry & 0xFFFF_F000)) {
        below = count
      } else {
        bad += 1
      }
      mapped += below
      // Kernels begin at 2 GiB or 3 GiB; the last quarter is theirs in either case.
      if index < 768 {
        lower += below
        lowerCount += 1
      } else if UInt64(entry & 0xFFFF_F000) != address {
        upper += 1
        hasher.combine(index)
        hasher.combine(UInt64(entry) & ~Self.marks)
      }
    }
    guard bad * 8 <= present, mapped >= Self.fewestMappings else { return nil }
    self.init(
      address: address, mode: .legacy32, mappings: mapped, lowerMappings: lower,
      lowerCount: lowerCount,
      upperPart: upper == 0 ? 0 : hasher.finalize(), upperCount: upper)
  }

  /// Four page-directory pointers.
  init?(pointers address: UInt64, _ judge: inout TableJudge) {
    var hasher = Hasher()
    var (mapped, lower, lowerCount, upper) = (0, 0, 0, 0)
    var targets: Set<UInt64> = []
    for index in 0..<4 {
      let entry = judge.entry(address, index)
      if entry == 0 { continue }
      let target = entry & TableJudge.addressMask
      guard entry & 1 != 0, entry & PageSieve.reservedInPointer == 0,
        targets.insert(target).inserted,
        let below = judge.mappings(of: target, at: 2)
      else { return nil }
      mapped += below
      if index < 3 {
        lower += below
        lowerCount += 1
      } else {
        for place in 0..<512 {
          let inner = judge.entry(target, place)
          // Directories that map themselves differ in those entries alone.
          guard inner & 1 != 0, !isSelf(inner, judge, address) else { continue }
          upper += 1
          hasher.combine(place)
          hasher.combine(inner & ~Self.marks)
        }
      }
    }
    func isSelf(_ inner: UInt64, _ judge: TableJudge, _ address: UInt64) -> Bool {
      let page = inner & TableJudge.addressMask
      return (0..<4).contains { judge.entry(address, $0) & TableJudge.addressMask == page }
    }
    guard mapped >= Self.fewestMappings else { return nil }
    self.init(
      address: address, mode: .pae, mappings: mapped, lowerMappings: lower, lowerCount: lowerCount,
      upperPart: upper == 0 ? 0 : hasher.finalize(), upperCount: upper)
  }

  private init(
    address: UInt64, mode: X86Mode, mappings: Int, lowerMappings: Int, lowerCount: Int,
    upperPart: Int, upperCount: Int
  ) {
    self.address = address
    self.mode = mode
    self.mappings = min(mappings, Int(Int32.max))
    self.lowerMappings = lowerMappings
    self.lowerCount = lowerCount
    self.upperPart = upperPart
    self.upperCount = upperCount
  }
}
