import Paging
import X86
import X86EPT
import X86Guest
import X86Long

extension WalkLoop {
  /// Walks with paging-structure caches of 32 entries a level, or without.
  @inline(never)
  func runCached<Pattern: AddressPattern>(
    _ regime: FormatRegime<Long4>, _ pattern: Pattern.Type, isCached: Bool,
    in memory: borrowing BufferMemory
  ) -> Tally {
    var pattern = Pattern()
    let bits = UInt64(bits)
    let access = X86Access(.read, user: true)
    var tally = Tally()
    var strategy = Commit()
    if isCached {
      var cache = StructureCache<X86Rights>()
      for _ in 0..<count {
        let address = GVA(base &+ pattern.next(after: 0, bits: bits))
        tally.add(
          regime.translate(address, for: access, in: memory, &strategy, through: &cache))
      }
    } else {
      for _ in 0..<count {
        let address = GVA(base &+ pattern.next(after: 0, bits: bits))
        tally.add(regime.translate(address, for: access, in: memory, &strategy))
      }
    }
    return tally
  }
}

extension NestedTables {
  /// Walks of the guest's level over the second one, with paging-structure caches for the guest's
  /// entries or without; the page itself is not looked up.
  @inline(never)
  func runCached<Pattern: AddressPattern>(
    _ pattern: Pattern.Type, isCached: Bool, count: Int
  ) -> WalkLoop.Tally {
    guard case .long4(let guest) = processor.regime else { return WalkLoop.Tally() }
    let host = memory.handle(HostPhysical.self)
    let second = FormatRegime(format, root: TableRoot(eptRoot))
    let access = X86Access(.read, user: true)
    let bits = UInt64(shape.bits)
    var pattern = Pattern()
    var tally = WalkLoop.Tally()
    var strategy = Commit()
    var cache = StructureCache<X86Rights>()
    for _ in 0..<count {
      let gva = GVA(Self.base &+ pattern.next(after: 0, bits: bits))
      let nested = NestedMemory(second: second, host: host, gva: gva)
      let outcome =
        isCached
        ? guest.translate(gva, for: access, in: nested, &strategy, through: &cache)
        : guest.translate(gva, for: access, in: nested, &strategy)
      switch outcome {
      case .success(let found): tally.checksum &+= found.address.rawValue ^ found.leaf
      case .failure: tally.failures += 1
      }
    }
    return tally
  }
}
