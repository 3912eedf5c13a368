import AccessCases
import Paging
import RealCPU
import Report
import SharedData
import Testing
import X86

@Suite("The CPU of this machine agrees with the model", .serialized)
struct RealCPUTests {
  private static func isThere() -> Bool { (try? RealCPU()) != nil }

  /// How the cases came out; what differs is an issue.
  private func verify(_ cases: [AccessCase]) throws -> (agreeing: Int, leftOut: [String: Int]) {
    let cpu = try RealCPU()
    var agreeing = 0
    var leftOut: [String: Int] = [:]
    for access in cases {
      switch cpu.run(access) {
      case .leftOut(let why): leftOut[why, default: 0] += 1
      case .outcome(let found):
        let model = access.run()
        if AccessOutcome.agree(found, model) {
          agreeing += 1
        } else {
          Issue.record("\(access.json.line): model \(model), CPU \(found)")
        }
      }
    }
    return (agreeing, leftOut)
  }

  @Test(
    "W4–W11 generated cases", .enabled(if: isThere(), "/dev/kvm cannot be used"),
    arguments: [1, 2, 3] as [UInt64])
  func generated(seed: UInt64) throws {
    var generator = CaseGenerator(mode: .long4, seed: seed)
    let (agreeing, leftOut) = try verify((0..<1000).map { _ in generator.next() })
    #expect(agreeing > 300, "\(leftOut)")
  }

  @Test(
    "W4–W11 recorded cases",
    .enabled(if: isThere() && SharedData.cases != nil, "no /dev/kvm, or no recorded cases"))
  func recorded() throws {
    let folder = try #require(SharedData.cases)
    let file = try AccessCaseFile(SharedData.bytes("\(folder)/cases-long4.jsonl"))
    let (agreeing, leftOut) = try verify(file.cases.map(\.access))
    #expect(agreeing > 300, "\(leftOut)")
  }

  @Test(
    "what cannot be asked is left out, with the reason",
    .enabled(if: isThere(), "/dev/kvm cannot be used"))
  func leftOut() throws {
    for mode in [X86Mode.legacy32, .pae] {
      var generator = CaseGenerator(mode: mode, seed: 1)
      #expect(try RealCPU().run(generator.next()) == .leftOut("32-bit paging"))
    }
    var generator = CaseGenerator(mode: .long4, seed: 1)
    var access = generator.next()
    access.access = X86Access(.read, implicit: true)
    #expect(try RealCPU().run(access) == .leftOut("an implicit access"))
  }

  @Test(
    "an outcome of the CPU does not come from the case's expectation",
    .enabled(if: isThere(), "/dev/kvm cannot be used"))
  func independent() throws {
    let memory: [UInt64: UInt64] = [0x1000: 0x2007, 0x2000: 0x3007, 0x3000: 0x4007, 0x4000: 0x7005]
    var access = AccessCase(
      id: "read-only", mode: .long4,
      registers: X86Registers(
        cr0: [.protectionEnable, .paging, .writeProtect], cr3: 0x1000,
        cr4: [.physicalAddressExtension], efer: [.longModeEnable, .longModeActive]),
      features: X86Features(physicalAddressWidth: 40), memory: memory, address: GVA(0x123),
      access: X86Access(.write), expectation: AccessOutcome(.contended, changed: [:]))
    let cpu = try RealCPU()
    #expect(
      cpu.run(access) == .outcome(AccessOutcome(.refused(vector: 14, errorCode: 3), changed: [:])))
    access.registers.cr0.remove(.writeProtect)
    let marked: [UInt64: UInt64] = [
      0x1000: 0x2027, 0x2000: 0x3027, 0x3000: 0x4027, 0x4000: 0x7065,
    ]
    #expect(
      cpu.run(access)
        == .outcome(AccessOutcome(.granted(GPA(0x7123), pageSize: 0), changed: marked)))
  }
}
