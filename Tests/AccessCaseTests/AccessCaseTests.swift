import AccessCases
import Paging
import SharedData
import Testing
import X86

@Suite("Access cases")
struct AccessCaseTests {
  @Test(
    "W4–W13 every recorded case comes out as it says",
    .enabled(if: SharedData.cases != nil, "the recorded cases are not here"),
    arguments: [("legacy32", 622), ("pae", 594), ("long4", 848), ("long5", 449)])
  func recordedCasesPass(mode: String, count: Int) throws {
    let folder = try #require(SharedData.cases)
    let file = try AccessCaseFile(SharedData.bytes("\(folder)/cases-\(mode).jsonl"))
    let totals = file.run { Issue.record("\($0.access.id): got \($0.outcome)") }
    #expect(totals.passed == count)
    #expect(totals.failed == 0)
  }

  private static let sound = """
    {"id":"a","mode":"long4","cr0":"0x80010001","cr3":4096,"cr4":"0x20","efer":"0xd00",\
    "maxphyaddr":40,"memory":{"0x1000":"0x2003","0x2000":"0x3003","0x3000":"0x4003","0x4008":"0x7003"},\
    "va":"0x1234","access":"write","user":0,"implicit":false,"unknown":[],\
    "expect":{"ok":true,"pa":"0x7234","pageSize":"0x1000","memory_after":{"0x1000":"0x2023",\
    "0x2000":"0x3023","0x3000":"0x4023","0x4008":"0x7063"}}}
    """

  /// A case up to its expectation.
  private static func head(of text: String) throws -> String {
    let expectation = try #require(text.firstRange(of: #""expect""#))
    return String(text[..<expectation.lowerBound])
  }

  private func run(_ text: String) throws -> (passed: Int, failed: Int) {
    try AccessCaseFile(Array(text.utf8)).run { _ in }
  }

  @Test("a case passes only if every part of its expectation holds")
  func expectationsAreCompared() throws {
    #expect(try run(Self.sound) == (1, 0))
    for (from, to) in [
      (#""pa":"0x7234""#, #""pa":"0x7235""#), (#""pageSize":"0x1000""#, #""pageSize":"0x200000""#),
      (#""0x4008":"0x7063""#, #""0x4008":"0x7023""#),
      (#""0x3000":"0x4023","#, ""),
      (#""ok":true"#, #""ok":false,"vector":14"#),
    ] {
      let changed = Self.sound.replacing(from, with: to)
      #expect(changed != Self.sound)
      #expect(try run(changed) == (0, 1), "\(to)")
    }
  }

  @Test("vector and error code of a refusal are compared")
  func refusalsAreCompared() throws {
    let refused = Self.sound.replacing(#""user":0"#, with: #""user":1"#)
    let head = try Self.head(of: refused)
    #expect(try run(head + #""expect":{"ok":false,"vector":14,"error":"0x7"}}"#) == (1, 0))
    #expect(try run(head + #""expect":{"ok":false,"vector":14,"error":"0x5"}}"#) == (0, 1))
    #expect(try run(head + #""expect":{"ok":false,"vector":13,"error":"0x7"}}"#) == (0, 1))
  }

  @Test("W13 a stack access to a non-canonical address is #SS, any other #GP")
  func stackKeyIsRead() throws {
    let bad = Self.sound.replacing(#""va":"0x1234""#, with: #""va":"0x800000000000""#)
    let head = try Self.head(of: bad)
    #expect(try run(head + #""expect":{"ok":false,"vector":13,"error":0}}"#) == (1, 0))
    #expect(try run(head + #""stack":1,"expect":{"ok":false,"vector":12,"error":0}}"#) == (1, 0))
  }

  @Test("W4 bit 8 of a PML4E is reserved on the processor that the case names")
  func processorKeyIsRead() throws {
    let bit8 = Self.sound.replacing(#""0x1000":"0x2003""#, with: #""0x1000":"0x2103""#)
    let head = try Self.head(of: bit8)
    let refusal = #""expect":{"ok":false,"vector":14,"error":"0xb"}}"#
    #expect(try run(head + #""cpu":{"vendor":"amd"},"# + refusal) == (1, 0))
    #expect(try run(head + #""cpu":{"vendor":"intel"},"# + refusal) == (0, 1))
    #expect(throws: AccessCaseFileError.self) {
      try run(head + #""cpu":{"vendor":"via"},"# + refusal)
    }
  }

  @Test(
    "a malformed line is refused with its number and what is wrong",
    arguments: [
      (#""va":"0x1234""#, #""va":"x""#, "va: 'x' is not a number"),
      (#""va":"0x1234","#, "", "the key \"va\" is missing"),
      (#""mode":"long4""#, #""mode":"long5""#, "select long4"),
      (#""mode":"long4""#, #""mode":"lang""#, "'lang' is not a mode"),
      (#""access":"write""#, #""access":"poke""#, "'poke' is not an access"),
      (#""maxphyaddr":40"#, #""maxphyaddr":31"#, "31 is out of range (32...52)"),
      (#""user":0"#, #""user":2"#, "2 is out of range (0...1)"),
      (#""0x4008":"0x7003""#, #""0x4009":"0x7003""#, "not a multiple of 8"),
      (#""0x4008":"0x7003""#, #""q":"0x7003""#, "not an address"),
      (#""0x4008":"0x7003""#, #""4096":"0x7003""#, "said twice"),
      (#""ok":true"#, #""ok":false"#, "the key \"vector\" is missing"),
      ("}}}", "}}", "not valid JSON"),
    ])
  func malformedLinesAreNamed(from: String, to: String, message: String) {
    let text = "\n" + Self.sound + "\n" + Self.sound.replacing(from, with: to) + "\n"
    #expect {
      try run(text)
    } throws: { error in
      guard let error = error as? AccessCaseFileError else { return false }
      return error.line == 3 && error.description.contains(message)
    }
  }

  @Test("W11 the memory of a case exchanges an entry only against what it holds")
  func memoryComparesBeforeItExchanges() {
    let memory = CaseMemory([8: 5])
    #expect(memory.compareExchange(GPA(8), expected: UInt64(4), desired: 6) == .success(.lost))
    #expect(memory.compareExchange(GPA(8), expected: UInt64(5), desired: 6) == .success(.stored))
    #expect(memory.load(GPA(8), as: UInt64.self) == .success(6))
    #expect(memory.compareExchange(GPA(16), expected: UInt32(0), desired: 1) == .success(.stored))
    #expect(memory.contents == [8: 6, 16: 1])
  }
}
