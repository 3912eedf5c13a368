import Explain
import Paging
import TestSupport
import Testing
import X86
import X86Guest
import X86PAE

/// The rules that an explanation judges by itself against the walker, and its changes made for real.
@Suite("Explanations agree with the walker")
struct ExplanationPropertyTests {
  #if DEBUG
  private static let tableSets = 150 as UInt64
  #else
  private static let tableSets = 2000 as UInt64
  #endif

  @Test(
    "the failed rule, the error code built bit by bit and the walker's verdict are one (W4–W10, W19, W20)",
    arguments: [ReferenceMachine.Mode.legacy32, .pae, .long4, .long5])
  func verdictsAgree(mode: ReferenceMachine.Mode) throws {
    var ends: [String: Int] = [:]
    for seed in 1...Self.tableSets {
      var random = SeededGenerator(seed: seed)
      let tables = RandomTables(mode, &random)
      let memory = GuestTestMemory()
      tables.write(to: memory)
      for _ in 0..<24 {
        let address = tables.address(&random)
        let access = X86Access(tables.access(&random))
        let situation = AccessSituation(tables.machine, access, to: GVA(address))
        let walked = X86Regime(tables.machine)
          .translate(GVA(address), for: access, in: memory, Judge())
        let told = Explainer(memory).explain(situation)
        let context: Comment = "seed \(seed), \(GVA(address)), \(situation.words)"
        switch walked {
        case .success(let translation):
          ends["granted", default: 0] += 1
          #expect(told.decidingRule == nil, context)
          guard case .granted(let found) = told.outcome else {
            Issue.record(context)
            return
          }
          #expect(found.address == translation.address, context)
          #expect(told.errorCodeBits.isEmpty && told.remedies.isEmpty, context)
        case .failure(.fault(let fault)):
          ends["\(fault.cause)", default: 0] += 1
          #expect(told.decidingRule?.cause == fault.cause, context)
          #expect(told.errorCode == fault.errorCode, context)
          #expect(told.errorCodeBits.isEmpty == (fault.vector != 14), context)
          if !(told.decidingRule?.cause == fault.cause && told.errorCode == fault.errorCode) {
            return
          }
        case .failure(.unreadable(_, let entry, _)):
          ends["unreadable", default: 0] += 1
          #expect(told.decidingRule?.cause == nil && told.decidingRule != nil, context)
          #expect(told.remedies.isEmpty, context)
          guard case .tableUnreadable(let place, _, _, _) = told.outcome else {
            Issue.record(context)
            return
          }
          #expect(place.rawValue == entry, context)
        case .failure(.contended): Issue.record(context)
        }
      }
    }
    let wanted = ["granted", "not present", "reserved bit", "permission", "unreadable"]
    for end in wanted where mode != .legacy32 || end != "reserved bit" {
      #expect(ends[end, default: 0] > 20, "\(ends)")
    }
  }

  @Test(
    "every change that is told lets the access through once it is made, and no smaller one does",
    arguments: [ReferenceMachine.Mode.legacy32, .pae, .long4, .long5])
  func changesWork(mode: ReferenceMachine.Mode) throws {
    var sizes: [Int: Int] = [:]
    var refused = 0
    for seed in 1...Self.tableSets {
      var random = SeededGenerator(seed: seed)
      let tables = RandomTables(mode, &random)
      let memory = GuestTestMemory()
      for _ in 0..<4 {
        let address = tables.address(&random)
        let access = X86Access(tables.access(&random))
        let situation = AccessSituation(tables.machine, access, to: GVA(address))
        tables.write(to: memory)
        let told = Explainer(memory).explain(situation)
        guard case .refused = told.outcome else { continue }
        refused += 1
        for remedy in told.remedies {
          sizes[remedy.changes.count, default: 0] += 1
          tables.write(to: memory)
          let end = walk(situation, with: remedy.changes, memory, mode)
          #expect(end == remedy.leadsTo, "seed \(seed), \(GVA(address)), \(remedy)")
          // One change fewer is never enough, or it would have been told instead.
          guard remedy.changes.count == 2 else { continue }
          for change in remedy.changes {
            tables.write(to: memory)
            #expect(
              walk(situation, with: [change], memory, mode) == nil,
              "seed \(seed), \(GVA(address)), \(remedy.changes.map { $0.words(in: situation) })")
          }
        }
      }
    }
    #expect(refused > 100)
    #expect(sizes[1, default: 0] > 50 && sizes[2, default: 0] > 10, "\(sizes)")
  }

  /// Makes the changes in the memory and the registers themselves, and walks.
  private func walk(
    _ situation: AccessSituation, with changes: [AccessChange], _ memory: GuestTestMemory,
    _ mode: ReferenceMachine.Mode
  ) -> GPA? {
    var situation = situation
    for change in changes {
      switch change {
      case .address(let address): situation.address = address
      case .entryBit(let entry, let bit):
        if mode == .legacy32 {
          let held = memory.peek(entry.gpa.rawValue, as: UInt32.self)
          memory.poke(entry.gpa.rawValue, held ^ 1 << UInt32(bit))
        } else {
          let held = memory.peek(entry.gpa.rawValue, as: UInt64.self)
          memory.poke(entry.gpa.rawValue, held ^ 1 << UInt64(bit))
        }
      case .registerBit(let bit): flip(bit, &situation)
      }
    }
    let walked = situation.regime.translate(
      situation.address, for: situation.access, in: memory, Judge())
    guard case .success(let found) = walked else { return nil }
    return found.address
  }

  private func flip(_ bit: AccessChange.RegisterBit, _ situation: inout AccessSituation) {
    func cr4(_ bit: UInt64) {
      situation.registers.cr4 = CR4(rawValue: situation.registers.cr4.rawValue ^ 1 << bit)
    }
    switch bit {
    case .writeProtect:
      situation.registers.cr0 = CR0(rawValue: situation.registers.cr0.rawValue ^ 1 << 16)
    case .smep: cr4(20)
    case .smap: cr4(21)
    case .userKeys: cr4(22)
    case .shadowStacks: cr4(23)
    case .supervisorKeys: cr4(24)
    case .lass: cr4(27)
    case .executeDisable:
      situation.registers.efer = EFER(rawValue: situation.registers.efer.rawValue ^ 1 << 11)
    case .alignmentCheck: situation.access.alignmentCheck.toggle()
    case .pkru(let number): situation.registers.pkru ^= 1 << UInt32(number)
    case .pkrs(let number): situation.registers.pkrs ^= 1 << UInt32(number)
    }
  }
}

extension AccessSituation {
  /// The situation of a reference machine.
  init(_ machine: ReferenceMachine, _ access: X86Access, to address: GVA) {
    let pdptes = machine.pdptes
    self.init(
      access, to: address, X86Registers(machine), X86Features(machine),
      pdptes: PDPTERegisters(pdptes[0], pdptes[1], pdptes[2], pdptes[3]))
  }
}
