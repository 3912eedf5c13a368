import Foundation
import TestSupport
import Testing

@Suite("mmu races and mmu forecast")
struct RaceCommandTests {
  @Test("a race is run to its end, or to a limit, and says which")
  func limits() throws {
    let whole = try Command(["races", "--race", "faults-and-link", "--json"])
    #expect(whole.status == 0)
    #expect(whole.output.contains("\"race\":\"faults-and-link\""))
    #expect(whole.output.contains("\"complete\":true,\"failures\":[]"))
    let part = try Command(["races", "--race", "faults-and-link", "--limit", "3"])
    #expect(part.status == 0 && part.output.contains("3 runs"))
    #expect(part.output.contains("not all"))
  }

  @Test("a line that cannot be run is a failure; one that is no line is wrong usage")
  func schedules() throws {
    let stray = try Command(["races", "--race", "faults-and-link", "--schedule", "7"])
    #expect(stray.status == 1 && stray.output.contains("thread 7 cannot go on here"))
    for arguments in [
      ["--race", "none"], ["--schedule", "0"], ["--race", "faults-and-link", "--schedule", "x"],
      ["--limit", "0"],
    ] {
      #expect(try Command(["races"] + arguments).status == 64, "\(arguments)")
    }
  }

  @Test("a damaged trace is one line and status 2; wrong flags are 64")
  func forecast() throws {
    let image = SharedFiles.packageRoot + "/Examples/images/showcase.core"
    for text in ["{", "[]", "{\"op\":\"q\",\"va\":0,\"size\":8}", "{\"op\":\"w\",\"va\":0}"] {
      let trace = try TemporaryFile("trace.jsonl", "\n" + text)
      let run = try Command(["forecast", image, "--trace", trace.path])
      #expect(run.status == 2 && run.output == "", "\(text)")
      #expect(run.error.contains("\(trace.path):2: "), "\(run.error)")
    }
    let trace = SharedFiles.packageRoot + "/Examples/traces/showcase.jsonl"
    #expect(try Command(["forecast", image, "--trace", trace + "-none"]).status == 2)
    #expect(try Command(["forecast", image]).status == 64)
    #expect(try Command(["forecast", image, "--trace", trace, "--round", "0"]).status == 64)
    #expect(try Command(["forecast", image, "--trace", trace, "--ring", "5"]).status == 64)
  }
}
