import Foundation
import TestSupport
import Testing

@Suite("mmu run", .serialized)
struct RunTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
  private static let examples = root.appending(path: "Examples").path

  /// Builds the plugins where the examples look for them; once for all tests.
  private static let hasPlugins: Bool = {
    let make = Process()
    make.executableURL = URL(filePath: "/usr/bin/env")
    make.arguments = ["make", "-s", "-C", root.appending(path: "Plugins").path]
    guard (try? make.run()) != nil else { return false }
    make.waitUntilExit()
    return make.terminationStatus == 0
  }()

  private static let names: [String] =
    ((try? FileManager.default.contentsOfDirectory(atPath: examples)) ?? [])
    .filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(5)) }.sorted()

  /// Compares with a file of `Examples/output`.
  private func compare(_ text: String, with name: String) throws {
    let file = URL(filePath: Self.examples + "/output/\(name).txt")
    if ProcessInfo.processInfo.environment["MMU_WRITE_EXPECTED"] != nil {
      try Data(text.utf8).write(to: file)
    }
    #expect(try String(contentsOf: file, encoding: .utf8) == text, "\(name)")
  }

  @Test("there is an example for each story")
  func examplesAreThere() { #expect(Self.names.count >= 15) }

  @Test("every example passes and prints what is kept in Examples/output", arguments: names)
  func examples(name: String) throws {
    let usesPlugin = ["showcase", "plugin-layout", "plugin-mask"].contains(name)
    if usesPlugin {
      try #require(Self.hasPlugins, "the plugins cannot be built here")
    }
    let run = try Command(["run", "\(Self.examples)/\(name).yaml", "--audit-every-step"])
    #expect(run.status == 0, "\(run.error)")
    // What two vCPUs do at once is counted, and the counts are chance.
    if name != "two-processors" { try compare(run.output, with: name) }
    if usesPlugin {
      let without = try Command(["run", "\(Self.examples)/\(name).yaml", "--without-plugins"])
      #expect(without.status == 0)
      #expect(without.output != run.output)
      try compare(without.output, with: name + "-without-plugins")
    }
  }

  @Test("a scenario is refused in one line that names file and line, with status 2")
  func refusal() throws {
    let file = try TemporaryFile("bad.yaml", "scenario: 1\nmachine: {guest: none, mmu: tea}\n")
    let run = try Command(["run", file.path])
    #expect(run.status == 2)
    #expect(run.output.isEmpty)
    #expect(run.error.hasPrefix("mmu: \(file.path):2: 'tea' is not allowed ("))
    let missing = try Command(["run", file.path + "x"])
    #expect(missing.status == 2)
    #expect(missing.error.hasPrefix("mmu: \(file.path)x: cannot be read: "))
    #expect(try Command(["run"]).status == 64)
    #expect(try Command(["run", file.path, "--fast"]).status == 64)
  }

  private static let failing = """
    scenario: 1
    machine: {guest: none, mmu: ept, memory: [{gpa: 0x0, size: 1 MiB}]}
    steps:
      - read: {va: 0x1000}
        expect: {value: 0x1}
      - repeat: {count: 40000, range: [0x0, 0x10000], access: {write: {value: 0x5}}}

    """

  @Test("an expectation that fails makes the status 1, after all steps have run")
  func failure() throws {
    let file = try TemporaryFile("failing.yaml", Self.failing)
    let run = try Command(["run", file.path])
    #expect(run.status == 1)
    #expect(run.lines.contains("  FAILED   value: expected 0x1, got 0x0"))
    #expect(run.lines.last == "  steps        1 passed, 1 failed")
    // A pipe gets no progress bar.
    #expect(run.error.isEmpty)
    let json = try Command(["run", file.path, "--json"])
    #expect(json.status == 1)
    #expect(json.lines.count == 3)
    for line in json.lines { _ = try JSONSerialization.jsonObject(with: Data(line.utf8)) }
    #expect(json.lines.first?.contains(#""passed":false,"mismatches":["value: "#) == true)
    #expect(
      json.lines.last?.hasPrefix(#"{"summary":{"steps":2,"passed":1,"failed":1,"exits":{"#) == true)
  }

  @Test("--report writes a page with every step, its exits and what failed")
  func report() throws {
    let page = try TemporaryFile("page.html", "")
    let run = try Command([
      "run", Self.examples + "/first-access.yaml", "--report", page.path,
    ])
    #expect(run.status == 0)
    let html = try String(contentsOfFile: page.path, encoding: .utf8)
    #expect(html.hasPrefix("<!DOCTYPE html>") && html.contains("</svg>"))
    for line in run.lines where line.hasPrefix("step ") {
      let number = line.dropFirst(5).prefix { $0.isNumber }
      #expect(html.contains("<summary>\(number). "), "\(line)")
    }
    #expect(html.contains("× ept-violation</title>"))
    #expect(!html.contains("class=\"failed\" open"))
    let folder = try Command([
      "run", Self.examples + "/first-access.yaml", "--report", "/no/such/page",
    ])
    #expect(folder.status == 2 && folder.output.isEmpty)
  }

  @Test("--trace writes what replay reads back, with the same outcome")
  func trace() throws {
    let recorded = try TemporaryFile("t.jsonl", "")
    let file = try TemporaryFile("failing.yaml", Self.failing)
    #expect(try Command(["run", file.path, "--trace", recorded.path]).status == 1)
    let lines = try String(contentsOfFile: recorded.path, encoding: .utf8).split(separator: "\n")
    #expect(lines.count == 40_001)
    #expect(
      lines.first
        == #"{"vcpu":0,"op":"r","va":"0x1000","size":8,"user":false,"ok":true,"gpa":"0x1000"}"#)
    let replay = try TemporaryFile(
      "replay.yaml",
      """
      scenario: 1
      machine: {guest: none, mmu: ept, memory: [{gpa: 0x0, size: 1 MiB}]}
      steps:
        - replay: {trace: \(recorded.path)}

      """)
    let again = try Command(["run", replay.path, "--json"])
    #expect(again.status == 0)
    #expect(again.lines.first?.contains(#""completed":40001,"differences":0"#) == true)
    #expect(
      try Command(["run", file.path, "--trace", "/there/is/no/such/folder"]).status == 2)
  }
}

@Suite("mmu compare")
struct CompareTests {
  private static func scenario(_ backing: String, value: String = "0x5") -> String {
    """
    scenario: 1
    machine: {guest: none, mmu: ept, memory: [{gpa: 0x0, size: 4 MiB, hugepages: \(backing)}]}
    steps:
      - poke: {gpa: 0x0, value: \(value)}
      - read: {va: 0x0}
      - repeat: {count: 512, range: [0x0, 0x200000], access: {write: {value: 0x5}}}
      - repeat: {count: 1000, pattern: random, range: [0x0, 0x200000], access: {read: {}}}

    """
  }

  @Test("--encoders runs one scenario on several MMUs and says what the entries of each cannot say")
  func encoders() throws {
    let path = SharedFiles.packageRoot + "/Examples/first-access.yaml"
    let text = try Command(["compare", path, "--encoders", "legacy,ept,npt"])
    #expect(text.status == 0)
    func row(_ name: String) -> [Substring] {
      let line = text.lines.first { $0.hasPrefix(name + "  ") } ?? ""
      return line.dropFirst(name.count).split(separator: " ")
    }
    #expect(text.lines.first?.split(separator: " ") == ["legacy", "ept", "npt"])
    #expect(row("steps that differ for the guest").allSatisfy { $0 == "0" })
    #expect(row("exits").count == 3 && row("exits")[1] == row("exits")[2])
    // EPT alone can grant execution without reading; it alone has no user bit.
    #expect(row("execute only") == ["no", "yes", "no"])
    #expect(row("write only") == ["no", "no", "no"])
    #expect(row("user apart from supervisor")[1] == "no")
    #expect(row("user apart from supervisor")[0] == "yes")
    #expect(row("memory type in the entry") == ["no", "yes", "yes"])
    #expect(row("MMIO generation bits") == ["19", "19", "19"])
    #expect(text.output.contains("ept cannot say: write only"))

    let json = try Command(["compare", path, "--encoders", "ept,shadow", "--json"])
    #expect(json.lines.count == 2)
    #expect(json.lines[0].hasPrefix(#"{"encoder":"ept","machine":"#))
    #expect(json.lines[1].contains(#""execute only":"no""#))
  }

  @Test("two compositions are printed side by side, as text and as JSON")
  func compositions() throws {
    let small = try TemporaryFile("a.yaml", Self.scenario("4 KiB"))
    let large = try TemporaryFile("b.yaml", Self.scenario("2 MiB", value: "0x6"))
    let text = try Command(["compare", small.path, large.path])
    #expect(text.status == 0)
    #expect(text.lines.contains("   ≠  A: 0x5"))
    #expect(text.lines.contains("      B: 0x6"))
    #expect(text.lines.last == "4 steps, 1 of them differ for the guest")
    let json = try Command(["compare", small.path, large.path, "--json"])
    #expect(json.lines.count == 5)
    #expect(
      json.lines[1]
        == #"{"step":2,"do":"read","same":false,"a":{"ok":true,"outcome":"0x5","#
        + #""exits":{"ept-violation":1}},"b":{"ok":true,"outcome":"0x6","#
        + #""exits":{"ept-violation":1}}}"#)
    let summary = try #require(json.lines.last)
    #expect(summary.hasPrefix(#"{"summary":{"steps":4,"differing":1,"a":{"machine":"none guest"#))
    let object = try #require(
      JSONSerialization.jsonObject(with: Data(summary.utf8)) as? [String: [String: Any]])
    let installs = ["a", "b"].map {
      (object["summary"]?[$0] as? [String: Any])?["spteInstalls"] as? Int ?? 0
    }
    #expect(installs[0] > 300)
    #expect(installs[1] == 1)
  }

  @Test("other steps are refused with the line that differs; one file alone is wrong usage")
  func refusals() throws {
    let one = try TemporaryFile("a.yaml", Self.scenario("4 KiB"))
    let other = try TemporaryFile(
      "b.yaml", Self.scenario("4 KiB").replacing("va: 0x0", with: "va: 0x8"))
    let run = try Command(["compare", one.path, other.path])
    #expect(run.status == 2)
    #expect(run.error.hasPrefix("mmu: \(other.path):5: the step is 'read, 8 bytes at GVA 0x8"))
    #expect(try Command(["compare", one.path, "--encoders", "ept,vax"]).status == 64)
    #expect(try Command(["compare", one.path, other.path, "--encoders", "ept"]).status == 64)
    #expect(try Command(["compare", one.path]).status == 64)
    #expect(try Command(["compare", one.path, other.path, "--without-plugins"]).status == 64)
    let same = try Command(["compare", one.path, "--without-plugins"])
    #expect(same.status == 0)
    #expect(same.lines.last == "4 steps, 0 of them differ for the guest")
  }
}
