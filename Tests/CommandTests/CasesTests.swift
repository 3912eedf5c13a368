import Foundation
import SharedData
import Testing

@Suite("mmu cases")
struct CasesTests {
  @Test(
    "the recorded cases pass", .enabled(if: SharedData.cases != nil, "no recorded cases"),
    arguments: [("legacy32", 622), ("pae", 594), ("long4", 848), ("long5", 449)])
  func recordedCasesPass(mode: String, count: Int) throws {
    let file = try #require(SharedData.cases) + "/cases-\(mode).jsonl"
    let run = try Command(["cases", file])
    #expect(run.status == 0)
    #expect(run.output == "\(count) passed, 0 failed\n")
    #expect(
      try Command(["cases", file, "--json"]).output
        == #"{"summary":{"passed":\#(count),"failed":0}}"# + "\n")
  }

  private static func refusal(error: String) -> String {
    #"{"id":"a","mode":"legacy32","cr0":"0x80000001","cr3":0,"cr4":0,"efer":0,"memory":{},"#
      + #""va":4096,"access":"read","expect":{"ok":false,"vector":14,"error":"\#(error)"}}"# + "\n"
  }

  @Test("the first ten differences are printed, the total counts all, and the status is 1")
  func differencesAreLimited() throws {
    let text = Self.refusal(error: "0x0") + String(repeating: Self.refusal(error: "0x2"), count: 12)
    let file = try TemporaryFile("cases.jsonl", text)
    let run = try Command(["cases", file.path])
    #expect(run.status == 1)
    #expect(run.lines.count == 11)
    #expect(run.lines.last == "1 passed, 12 failed")
    #expect(
      run.lines.first
        == "\(file.path):2: a: expected vector 14 error 0x2; got vector 14 error 0x0")
    let json = try Command(["cases", file.path, "--json"])
    #expect(json.status == 1)
    let difference =
      #"{"id":"a","line":2,"expected":{"ok":false,"vector":14,"error":"0x2","memory_after":{}},"#
      + #""got":{"ok":false,"vector":14,"error":"0x0","memory_after":{}}}"#
    #expect(json.lines.first.map(String.init) == difference)
    #expect(json.lines.last == #"{"summary":{"passed":1,"failed":12}}"#)
  }

  @Test("a malformed line ends the run before anything is printed, with its number")
  func malformedLineIsNamed() throws {
    let file = try TemporaryFile("cases.jsonl", Self.refusal(error: "0x0") + "{\"id\":3}\n")
    let run = try Command(["cases", file.path])
    #expect(run.status == 2)
    #expect(run.output.isEmpty)
    #expect(run.error.hasPrefix("mmu: \(file.path):2: "))
    #expect(run.error.split(separator: "\n").count == 1)
  }

  @Test("generated cases are sound, and a seed repeats them")
  func generated() throws {
    let arguments = ["cases", "generate", "--mode", "pae", "--count", "40", "--seed", "5"]
    let first = try Command(arguments)
    #expect(first.status == 0)
    #expect(first.lines.count == 40)
    #expect(try Command(arguments).output == first.output)
    let file = try TemporaryFile("cases.jsonl", first.output)
    #expect(try Command(["cases", file.path]).output == "40 passed, 0 failed\n")
    #expect(try Command(["cases", "generate", "--mode", "long6"]).status == 64)
    #expect(try Command(["cases", "generate", "--mode", "pae", "--count", "0"]).status == 64)
  }

  @Test("the CPU is compared with model and file, or its absence is one line")
  func verified() throws {
    let cases = try Command(["cases", "generate", "--mode", "long4", "--count", "60"])
    let file = try TemporaryFile("cases.jsonl", cases.output)
    let run = try Command(["cases", file.path, "--verify", "kvm"])
    if run.status == 2 {
      #expect(run.error.hasPrefix("mmu: /dev/kvm: "))
      #expect(run.error.split(separator: "\n").count == 1)
      return
    }
    #expect(run.status == 0)
    #expect(run.lines.last?.contains(" agree, 0 differ, ") == true)
    // A file that is wrong is told apart from a model that is.
    let wrong = cases.output.replacing(#""error":"0x"#, with: #""error":"0x1"#)
    let other = try TemporaryFile("wrong.jsonl", wrong)
    let differing = try Command(["cases", other.path, "--verify", "kvm", "--json"])
    #expect(differing.status == 1)
    #expect(differing.lines.first?.contains(#""model":{"ok":false,"#) == true)
    #expect(differing.lines.last?.contains(#""differ":0"#) == false)
  }
}
