import Paging
import TestSupport
import Testing
import X86
import X86Guest
import X86Long

@Suite("Paging-structure caches")
struct StructureCacheTests {
  #if DEBUG
  private static let rounds = 300 as UInt64
  #else
  private static let rounds = 4000 as UInt64
  #endif

  @Test(
    "W16 without stale entries a cached walk is the plain walk, A and D included",
    arguments: [ReferenceMachine.Mode.legacy32, .pae, .long4, .long5])
  func agrees(mode: ReferenceMachine.Mode) {
    let cached = GuestTestMemory()
    let plain = GuestTestMemory()
    var hits = 0
    var saved = 0
    for seed in 1...Self.rounds {
      var random = SeededGenerator(seed: seed)
      let tables = RandomTables(mode, &random)
      let regime = X86Regime(tables.machine)
      tables.write(to: cached)
      tables.write(to: plain)
      // Small, so that entries push each other out.
      var cache = StructureCache<X86Rights>(entriesPerLevel: random.pick([1, 2, 32]))
      let places = tables.reference.entries.keys.sorted()
      for _ in 0..<60 {
        if random.oneIn(12), let place = places.randomElement(using: &random) {
          // Software changes an entry and invalidates, as it must.
          let entry = tables.reference.entries[random.pick(places)] ?? 0
          for memory in [cached, plain] {
            if mode == .legacy32 {
              memory.poke(place, UInt32(truncatingIfNeeded: entry))
            } else {
              memory.poke(place, entry)
            }
          }
          cache.invalidate(
            random.pick([
              .page(GVA(random.next()), tag: 5), .nonGlobals(tag: 5), .allNonGlobals, .everything,
            ]))
        }
        let address = tables.address(&random)
        let access = tables.access(&random)
        let before = (cached.loads, plain.loads)
        let found = regime.outcome(address, access, in: cached, tag: 5, through: &cache)
        let expected = regime.outcome(address, access, in: plain, Commit())
        #expect(found == expected, "seed \(seed), 0x\(String(address, radix: 16)), \(access)")
        saved += (plain.loads - before.1) - (cached.loads - before.0)
      }
      #expect(Set(cached.stores) == Set(plain.stores), "seed \(seed)")
      for place in places {
        #expect(cached.peek(place & ~7, as: UInt64.self) == plain.peek(place & ~7, as: UInt64.self))
      }
      hits += cache.hits
    }
    #expect(hits > Int(Self.rounds) && saved >= hits, "hits \(hits), loads saved \(saved)")
  }

  @Test("W16 with stale entries a walk is one that hardware may make, until invalidation")
  func staleness() {
    var stale = 0
    for seed in 1...Self.rounds {
      var random = SeededGenerator(seed: seed)
      var model = StaleModel(&random)
      var cache = StructureCache<X86Rights>()
      for _ in 0..<80 {
        if random.oneIn(4) { model.change(&random) }
        if random.oneIn(20) {
          model.forget()
          cache.invalidate(random.pick([.page(GVA(0), tag: 0), .nonGlobals(tag: 0), .everything]))
        }
        let address = model.address(&random)
        var probe = Probe()
        let found = StaleModel.End(
          model.regime.translate(
            address, for: .read, in: model.memory, &probe, through: &cache))
        let now = StaleModel.End(
          model.regime.translate(address, for: .read, in: model.memory, Probe()))
        if found != now { stale += 1 }
        let allowed = model.allowed(address)
        #expect(allowed.contains(now))
        #expect(allowed.contains(found), "seed \(seed), \(address): \(found) of \(allowed)")
      }
    }
    #expect(stale > Int(Self.rounds), "\(stale) stale walks")
  }

  @Test("W16 the next walk of a warm path reads the leaf alone")
  func readsTheLeafAlone() {
    for (mode, levels) in [
      (ReferenceMachine.Mode.legacy32, 2), (.pae, 2), (.long4, 4), (.long5, 5),
    ] {
      let path = TablePath(mode, leaf: 0x67, tables: 0x27)
      let regime = X86Regime(path.machine)
      var cache = StructureCache<X86Rights>()
      for expected in [levels, 1, 1] {
        path.memory.resetCounts()
        let found = regime.outcome(
          path.address, ReferenceAccess(.read), in: path.memory, through: &cache)
        #expect(path.memory.loads == expected, "\(mode)")
        guard case .translated = found else {
          Issue.record("\(found)")
          return
        }
      }
      #expect(cache.lookUps == 3 && cache.hits == 2)
    }
  }

  @Test("entries are not cached before their A bits are set")
  func accessedBits() {
    let path = TablePath(.long4)
    let regime = X86Regime(path.machine)
    var cache = StructureCache<X86Rights>()
    func loads() -> Int {
      path.memory.resetCounts()
      _ = regime.outcome(path.address, ReferenceAccess(.read), in: path.memory, through: &cache)
      return path.memory.loads
    }
    // The first walk sets A, the second finds it set, the third begins below.
    #expect([loads(), loads(), loads()] == [4, 4, 1])
    // Where A cannot be set nothing is cached.
    let readOnly = TablePath(.long4)
    readOnly.memory.readOnlyFrames = [1, 2, 3, 4]
    var other = StructureCache<X86Rights>()
    for _ in 0..<3 {
      _ = regime.outcome(
        readOnly.address, ReferenceAccess(.read), in: readOnly.memory, through: &other)
    }
    #expect(other.hits == 0)
  }

  @Test("W16 INVLPG of any page drops the PCID's entries and no others'")
  func addressSpaces() {
    let path = TablePath(.long4, leaf: 0x67, tables: 0x27)
    let regime = X86Regime(path.machine)
    var cache = StructureCache<X86Rights>()
    func loads(_ tag: UInt16) -> Int {
      path.memory.resetCounts()
      _ = regime.outcome(
        path.address, ReferenceAccess(.read), in: path.memory, tag: tag, through: &cache)
      return path.memory.loads
    }
    let scopes: [(TLBInvalidation, [Int])] = [
      (.nothing, [1, 1]), (.page(GVA(0x7F00_0000_0000), tag: 1), [4, 1]),
      (.nonGlobals(tag: 2), [1, 4]), (.allNonGlobals, [4, 4]), (.everything, [4, 4]),
    ]
    for (scope, expected) in scopes {
      for tag in [1, 2] as [UInt16] { _ = loads(tag) }
      cache.invalidate(scope)
      #expect([loads(1), loads(2)] == expected, "\(scope)")
    }
  }

  @Test("W16 a fault by a stale entry is told once: it drops what covers the address")
  func faultDrops() {
    let path = TablePath(.long4, leaf: 0x67, tables: 0x25)
    let regime = X86Regime(path.machine)
    var cache = StructureCache<X86Rights>()
    var write = ReferenceAccess(.write)
    write.user = true
    func outcome(_ access: ReferenceAccess) -> Outcome {
      regime.outcome(path.address, access, in: path.memory, through: &cache)
    }
    _ = outcome(ReferenceAccess(.read))
    // Permissions are raised; hardware needs no invalidation for that.
    for level in 2...4 { path.set(level, path.entry(level) | 2) }
    guard case .pageFault = outcome(write) else {
      Issue.record("the cached rights are judged")
      return
    }
    guard case .translated = outcome(write) else {
      Issue.record("the fault comes again")
      return
    }
  }
}

extension X86Regime {
  /// One walk with caches, told as the reference tells it.
  func outcome(
    _ address: UInt64, _ access: ReferenceAccess, in memory: GuestTestMemory, tag: UInt16 = 0,
    through cache: inout StructureCache<X86Rights>
  ) -> Outcome {
    var commit = Commit()
    return Outcome(
      translate(
        GVA(address), for: X86Access(access), in: memory, &commit, tag: tag, through: &cache))
  }
}
