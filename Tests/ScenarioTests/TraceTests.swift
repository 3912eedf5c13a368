import Foundation
import Paging
import Report
import Scenario
import SystemPackage
import TestSupport
import Testing

@Suite("Traces")
struct TraceTests {
  /// A folder that is there while a test runs.
  private final class Folder {
    let path: FilePath

    init() throws {
      let url = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
      try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
      path = FilePath(url.path)
    }

    deinit { try? FileManager.default.removeItem(atPath: path.string) }

    func write(_ name: String, _ bytes: [UInt8]) throws {
      try Data(bytes).write(to: URL(filePath: path.appending(name).string))
    }
  }

  private static let steps = """
      - write: {va: 0x400000, value: 0x11, size: 1, user: true}
      - fetch: {va: 0x400000, user: true}
      - read: {va: 0x400000, size: 20, user: true}
      - repeat: {count: 3, range: [0x400000, 0x402000], access: {read: {size: 8, user: true}}}

    """
  private static let replaying = Scenarios.mapped + "  - replay: {trace: t.jsonl}\n"

  private func record() throws -> [String] {
    var lines: [String] = []
    let runner = try ScenarioRunner(
      Scenarios.read(Scenarios.mapped + Self.steps), folder: Scenarios.examples)
    _ = runner.run(trace: { lines.append($0.json.line) }) { _ in }
    return lines
  }

  @Test("every access is one line, with its outcome, the same in each run")
  func recording() throws {
    let lines = try record()
    #expect(lines == (try record()))
    #expect(
      lines.prefix(4) == [
        #"{"vcpu":0,"op":"w","va":"0x400000","size":1,"user":true,"value":"0x11","ok":true,"#
          + #""gpa":"0x200000"}"#,
        #"{"vcpu":0,"op":"x","va":"0x400000","size":1,"user":true,"ok":false,"vector":14,"#
          + #""error":"0x15"}"#,
        #"{"vcpu":0,"op":"r","va":"0x400000","size":16,"user":true,"ok":true,"gpa":"0x200000"}"#,
        #"{"vcpu":0,"op":"r","va":"0x400010","size":4,"user":true,"ok":true,"gpa":"0x200010"}"#,
      ])
    #expect(lines.count == 7)
  }

  @Test("a replayed trace ends as it was recorded, and differences are counted")
  func replaying() throws {
    let folder = try Folder()
    let lines = try record()
    try folder.write("t.jsonl", Array(lines.joined(separator: "\n").utf8))
    let same = try Scenarios.run(Self.replaying, folder: folder.path)
    #expect(same.summary.failed == 0)
    #expect(same.results.last?.differences == 0)
    #expect(same.results.last?.completed == 6)
    let other = lines.map {
      $0.replacing(#""gpa":"0x200000""#, with: #""gpa":"0x300000""#)
        .replacing(#""error":"0x15""#, with: #""error":"0x14""#)
    }
    try folder.write("t.jsonl", Array(other.joined(separator: "\n").utf8))
    let different = try Scenarios.run(Self.replaying, folder: folder.path)
    #expect(different.results.last?.differences == 4)
  }

  @Test(
    "a line that is no access is refused with the step's line and its own",
    arguments: [
      (#"{"op":"r"}"#, "the key \"va\" is missing"),
      (#"{"op":"q","va":1,"size":1}"#, "'q' is not allowed (r, w, x)"),
      (#"{"op":"r","va":1,"size":17}"#, "size: 17 (allowed: 1 to 16)"),
      (#"{"op":"r","va":1,"size":0}"#, "size: 0"),
      (#"{"op":"r","va":1,"size":1,"vcpu":1}"#, "vcpu: 1 (allowed: 0 to 0)"),
      (#"{"op":"r","va":-1,"size":1}"#, "va: "),
      (#"{"op":"w","va":1,"size":1,"value":"0x100"}"#, "not a number of 1 bytes"),
      (#"{"op":"r","va":1,"size":1,"ok":false,"vector":99}"#, "out of range"),
      (#"[]"#, "t.jsonl:2: "),
      ("\u{0}", "not valid JSON"),
    ])
  func refusals(line: String, says: String) throws {
    let folder = try Folder()
    try folder.write("t.jsonl", Array("\n\(line)\n".utf8))
    #expect {
      try ScenarioRunner(Scenarios.read(Self.replaying), folder: folder.path)
    } throws: { error in
      guard let error = error as? ScenarioError else { return false }
      return error.line == 10 && error.message.contains(says)
        && error.message.hasPrefix("t.jsonl:2: ")
    }
  }

  @Test("random bytes are refused or replayed, never more")
  func hostileTraces() throws {
    let folder = try Folder()
    var random = SeededGenerator(seed: 0x7ACE)
    let good = Array(try record().joined(separator: "\n").utf8)
    var refused = 0
    for _ in 0..<300 {
      var bytes = good
      for _ in 0..<3 {
        bytes[random.below(bytes.count)] = UInt8.random(in: 0...127, using: &random)
      }
      try folder.write("t.jsonl", bytes)
      do throws(ScenarioError) {
        let runner = try ScenarioRunner(Scenarios.read(Self.replaying), folder: folder.path)
        _ = runner.run { _ in }
      } catch {
        refused += 1
      }
    }
    #expect(refused > 50)
  }
}
