import MMU
import Machine
import MachineSupport
import Paging
import TestSupport
import Testing
import X86
import X86EPT
import X86Guest
import X86Long

/// Two-dimensional walks over tables of random flags, compared with two walks written out by hand.
@Suite("Two-dimensional walks")
struct NestedWalkTests {
  /// What a literal walk ends with.
  enum Outcome: Hashable {
    case translated(host: UInt64, guest: UInt64, rights: UInt64, eptRights: UInt64)
    case pageFault(error: UInt32)
    case exit(gpa: UInt64, isFinal: Bool, isMisconfigured: Bool, access: UInt64)
  }

  /// Guest tables in frames 4…1 and the page 9; EPT tables in host frames 0x104…0x101, one page table
  /// that maps guest frame n to host frame 0x200+n.
  struct World {
    var host: [UInt64: UInt64] = [:]
    var accessedDirty: Bool
    static let gva: UInt64 = 0x123

    init(_ random: inout SeededGenerator) {
      accessedDirty = random.flip()
      for level in 2...4 as ClosedRange<UInt64> {
        host[(0x100 + level) << 12] = (0xFF + level) << 12 | Self.eptFlags(&random, 60)
      }
      for frame in 0..<16 as Range<UInt64> {
        host[0x10_1000 + frame * 8] =
          (0x200 + frame) << 12 | Self.eptFlags(&random, 40) | 0x30
      }
      for level in 1...4 as ClosedRange<UInt64> {
        var flags: UInt64 = random.oneIn(30) ? random.next() & 0x7 : 7
        if random.oneIn(20) { flags &= random.next() }
        if random.oneIn(8) { flags |= 1 << 63 }
        if random.oneIn(40) { flags |= 1 << 50 }
        if random.flip() { flags |= 0x20 }
        if random.flip(), level == 1 { flags |= 0x40 }
        host[(0x200 + level) << 12] = (level == 1 ? 9 : level - 1) << 12 | flags
      }
    }

    static func eptFlags(_ random: inout SeededGenerator, _ rarity: UInt64) -> UInt64 {
      random.oneIn(rarity) ? random.next() & 7 : random.oneIn(rarity) ? 5 : 7
    }

    /// SPEC E13 on four entries that are known to be tables and one leaf.
    mutating func ept(
      _ gpa: UInt64, needs: UInt64, isFinal: Bool, reported: UInt64
    ) -> Result<(UInt64, UInt64), Outcome2> {
      var rights: UInt64 = 7
      let places = [0x10_4000, 0x10_3000, 0x10_2000, 0x10_1000 + (gpa >> 12) * 8]
      for place in places {
        let entry = host[place] ?? 0
        rights &= entry
        if entry & 7 == 0 {
          return .failure(.exit(gpa, isFinal, false, reported))
        }
        if entry & 3 == 2 { return .failure(.exit(gpa, isFinal, true, reported)) }
      }
      if rights & needs == 0 { return .failure(.exit(gpa, isFinal, false, reported)) }
      let leaf = host[places[3]] ?? 0
      if accessedDirty {
        for place in places { host[place, default: 0] |= 0x100 }
        if needs == 2 { host[places[3], default: 0] |= 0x200 }
      }
      return .success((leaf & 0xF_FFFF_F000 | gpa & 0xFFF, rights))
    }

    enum Outcome2: Error { case exit(UInt64, Bool, Bool, UInt64) }

    /// The whole walk, by hand.
    mutating func walk(_ kind: AccessKind, user: Bool) -> Outcome {
      do {
        return try literal(kind, user: user)
      } catch Outcome2.exit(let gpa, let isFinal, let isMisconfigured, let reported) {
        return .exit(
          gpa: gpa, isFinal: isFinal, isMisconfigured: isMisconfigured, access: reported)
      } catch { return .pageFault(error: .max) }
    }

    private mutating func literal(_ kind: AccessKind, user: Bool) throws -> Outcome {
      var read: [(place: UInt64, gpa: UInt64, entry: UInt64)] = []
      var rights: UInt64 = 6 | 1 << 63
      var table: UInt64 = 0x4000
      var error: UInt32 = kind == .write ? 2 : kind == .fetch ? 16 : 0
      if user { error |= 4 }
      for level in stride(from: 4, through: 1, by: -1) {
        let (place, _) = try ept(
          table, needs: accessedDirty ? 2 : 1, isFinal: false, reported: accessedDirty ? 3 : 1
        ).get()
        let entry = host[place] ?? 0
        if entry & 1 == 0 { return .pageFault(error: error) }
        if entry & 1 << 50 != 0 { return .pageFault(error: error | 9) }
        read.append((place, table, entry))
        rights &= entry ^ 1 << 63
        table = entry & 0xF_FFFF_F000
        _ = level
      }
      let isRefused =
        (user && rights & 4 == 0) || (kind == .write && rights & 2 == 0)
        || (kind == .fetch && rights >> 63 == 0)
      if isRefused { return .pageFault(error: error | 1) }
      for (index, step) in read.enumerated() {
        var entry = step.entry | 0x20
        if index == 3, kind == .write { entry |= 0x40 }
        if entry == step.entry { continue }
        let (place, _) = try ept(step.gpa, needs: 2, isFinal: false, reported: 3).get()
        host[place] = entry
      }
      let needs: UInt64 = kind == .read ? 1 : kind == .write ? 2 : 4
      let (address, eptRights) = try ept(
        table | Self.gva, needs: needs, isFinal: true, reported: needs
      ).get()
      return .translated(
        host: address, guest: table | Self.gva, rights: rights, eptRights: eptRights)
    }
  }

  @Test("W17 E14 addresses, rights, A/D bits and exits are those of two literal walks")
  func composition() throws {
    var random = SeededGenerator(seed: 2017)
    var seen: [String: Int] = [:]
    for _ in 0..<20_000 {
      var world = World(&random)
      let memory = SparseMemory<HostPhysical>()
      for (address, entry) in world.host { memory.poke(address, entry) }
      let format = EPTFormat(
        EPTCapabilities(
          physicalAddressWidth: 46, executeOnly: true, accessedDirty: world.accessedDirty))
      let nested = NestedMemory(
        second: FormatRegime(format, root: TableRoot(0x10_4000)), host: memory,
        gva: GVA(World.gva))
      let registers = X86Registers(
        cr0: [.protectionEnable, .writeProtect, .paging], cr3: 0x4000,
        cr4: [.physicalAddressExtension],
        efer: [.longModeEnable, .longModeActive, .noExecuteEnable])
      let guest = X86Processor(registers, X86Features(physicalAddressWidth: 46))
      let kind = random.pick(AccessKind.allCases)
      let user = random.flip()
      let expected = world.walk(kind, user: user)
      let found: Outcome
      switch nested.translate(GVA(World.gva), for: X86Access(kind, user: user), by: guest) {
      case .success(let both):
        found = .translated(
          host: both.host.address.rawValue, guest: both.guest.address.rawValue,
          rights: both.guest.rights.granted & (6 | 1 << 63), eptRights: both.host.rights.granted)
        seen["translated", default: 0] += 1
      case .failure(.guest(let fault)):
        found = .pageFault(error: fault.errorCode.rawValue)
        seen["fault", default: 0] += 1
      case .failure(.exit(.violation(let violation))):
        found = .exit(
          gpa: violation.gpa.rawValue, isFinal: violation.qualification.isFinal,
          isMisconfigured: false, access: violation.qualification.rawValue & 7)
        #expect(violation.gva == GVA(World.gva))
        seen[violation.qualification.isFinal ? "final" : "table", default: 0] += 1
      case .failure(.exit(.misconfiguration(let exit))):
        // A misconfiguration says the address alone.
        guard case .exit(_, let isFinal, _, let access) = expected else {
          Issue.record("\(expected)")
          return
        }
        found = .exit(
          gpa: exit.gpa.rawValue, isFinal: isFinal, isMisconfigured: true, access: access)
        seen["misconfiguration", default: 0] += 1
      case .failure(let other):
        Issue.record("\(other)")
        return
      }
      #expect(found == expected)
      let differs = world.host.contains { memory.peek($0.key, as: UInt64.self) != $0.value }
      #expect(!differs, "A and D bits")
      if found != expected || differs { return }
    }
    for name in ["translated", "fault", "final", "table", "misconfiguration"] {
      #expect(seen[name, default: 0] > 100, "\(name): \(seen)")
    }
  }
}
