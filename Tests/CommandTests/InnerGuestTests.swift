import Foundation
import GuestImage
import Notation
import SharedData
import SystemPackage
import Testing

@Suite("A guest inside the imaged guest, in every command")
struct InnerGuestTests {
  private static let isHere = SharedData.images != nil
  private static let text = "seen through both levels"

  /// An inner guest of four levels whose tables lie at GPA 0x1000 to 0x4000.
  ///
  /// Of its pages, 0x3000 is whole, 0x4000 lies where the second level maps nothing, 0x5000 where it is
  /// malformed, 0x6000 where it is read-only; the table of 0x200000 is mapped outside the file, that
  /// of 0x400000 nowhere.
  private func small(_ kind: InnerImage.Kind) -> InnerImage {
    var image = InnerImage(kind)
    for page in UInt64(1)...5 { image.map(page << 12, to: 0x20_0000 + page << 12) }
    image.map(0x7000, to: 0x20_7000, adding: 1 << 45)
    image.map(0xA000, to: 0x20_A000, taking: 2)
    image.map(0x8000, to: 0x7000_0000)
    image.put([0], at: 0x20_A000)
    image.set(0x20_1000, 0x2007)
    image.set(0x20_2000, 0x3007)
    image.set(0x20_3000, 0x4007)
    image.set(0x20_3008, 0x8007)
    image.set(0x20_3010, 0x9007)
    for (index, target) in [(3, 0x5007), (4, 0x6007), (5, 0x7007), (6, 0xA007)]
      as [(UInt64, UInt64)]
    {
      image.set(0x20_4000 + index * 8, target)
    }
    image.put(Array(Self.text.utf8), at: 0x20_5000)
    return image
  }

  private func run(
    _ command: String, _ file: TemporaryFile, _ image: InnerImage, _ arguments: [String]
  ) throws -> Command {
    let registers = ["--cr3", "0x1000", "--mode", "long4", "--maxphyaddr", "40"]
    return try Command([command, file.path] + arguments + image.flags + registers)
  }

  private func object(_ line: Substring) throws -> [String: Any] {
    try #require(
      try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(line)")
  }

  @Test("W14 W17 translate tells page, exit and unknown apart", arguments: InnerImage.Kind.allCases)
  func translate(kind: InnerImage.Kind) throws {
    let image = small(kind)
    let file = try TemporaryFile("inner.lime", bytes: image.lime)
    let run = try run(
      "translate", file, image,
      ["0x3123", "0x4000", "0x5000", "0x6000", "0x200000", "0x400000", "0x10", "--json"])
    #expect(run.status == 0, "\(run.error)")
    let told = try run.lines.map(object)
    try #require(told.count == 7)
    let second = told.map { $0["secondLevel"] as? [String: Any] ?? [:] }
    let violation = kind.isEPT ? "ept-violation" : "nested-page-fault"
    let malformed = kind.isEPT ? "ept-misconfiguration" : "nested-page-fault"

    #expect(told[0]["pa"] as? String == "0x5123")
    #expect(second[0]["ok"] as? Bool == true)
    #expect(second[0]["hpa"] as? String == "0x205123")
    #expect(second[1]["ok"] as? Bool == false)
    #expect(second[1]["exit"] as? String == violation)
    #expect(second[2]["exit"] as? String == malformed)
    #expect(second[3]["ok"] as? Bool == true)
    #expect(told[4]["reason"] as? String == "table unreadable")
    #expect(second[4]["ok"] is NSNull)
    #expect(told[5]["reason"] as? String == violation)
    #expect(told[5]["gpa"] as? String == "0x9000")
    #expect(second[5]["ok"] as? Bool == false)
    #expect(told[6]["reason"] as? String == "not present")
    #expect(told[6]["secondLevel"] == nil)
    if kind.isEPT {
      // A read of the final page; a read of a table for the walk of 0x400000.
      #expect(second[1]["qualification"] as? String == "0x181")
      #expect(second[5]["qualification"] as? String == "0x81")
    } else {
      // E12: U always; bit 32 the page, bit 33 a table, whose accesses are writes; 8 is RSVD.
      #expect(second[1]["exitinfo1"] as? String == "0x100000004")
      #expect(second[2]["exitinfo1"] as? String == "0x10000000d")
      #expect(second[5]["exitinfo1"] as? String == "0x200000006")
    }
    let write = try self.run(
      "translate", file, image, ["0x6000", "--access", "write", "--json", "--all-mapped"])
    #expect(write.status == 1)
    let refused = try object(try #require(write.lines.first))["secondLevel"] as? [String: Any]
    #expect(refused?["exit"] as? String == violation)
  }

  @Test(
    "W17 walk, explain, read, search, map, tree, rmap, audit and info see the inner guest",
    arguments: InnerImage.Kind.allCases)
  func everyCommand(kind: InnerImage.Kind) throws {
    let image = small(kind)
    let file = try TemporaryFile("inner.lime", bytes: image.lime)
    let walk = try run("walk", file, image, ["0x3123", "--json"]).lines.map(object)
    #expect(walk.count == 5)
    #expect(
      walk.prefix(4).map { $0["gpa"] as? String } == ["0x1000", "0x2000", "0x3000", "0x4018"])
    let explain = try object(
      try #require(try run("explain", file, image, ["0x3123", "--json"]).lines.first))
    #expect((explain["secondLevel"] as? [String: Any])?["hpa"] as? String == "0x205123")
    let refused = try run("explain", file, image, ["0x400000"])
    #expect(refused.output.contains("is refused by \(kind.isEPT ? "EPT: a violation" : "NPT")"))

    let count = "\(Self.text.utf8.count)"
    #expect(try run("read", file, image, ["0x3000", count]).output == Self.text)
    let hole = try run("read", file, image, ["0x4000", "4"])
    #expect(hole.status == 2)
    #expect(hole.error.contains("is mapped to GPA 0x6000"))
    let search = try run("search", file, image, ["--text", "both levels", "--json"])
    #expect(search.output.hasPrefix(#"{"va":"0x300d","gpa":"0x500d""#))
    let map = try run("map", file, image, ["--pages", "--json"]).lines.map(object)
    #expect(map.map { $0["pa"] as? String } == ["0x5000", "0x6000", "0x7000", "0xa000"])
    let tree = try run("tree", file, image, ["--json"])
    #expect(tree.lines.last?.contains(#""pages":4"#) == true, "\(tree.output)")
    let uses = try run("rmap", file, image, ["0x5000", "--own-root", "--json"])
    #expect(uses.output.contains(#""va":"0x3000""#))
    let audit = try run("audit", file, image, ["--own-root", "--json"])
    #expect(audit.output.contains(#""table not in the image":2"#), "\(audit.output)")
    let info = try object(try #require(try run("info", file, image, ["--json"]).lines.first))
    #expect((info["secondLevel"] as? String)?.hasPrefix(kind.isEPT ? "EPT" : "NPT") == true)
    #expect(info["mode"] as? String == "long4")
    #expect(try run("roots", file, image, []).status == 0)
  }

  @Test(
    "a recorded guest behind a second level is the same guest", .enabled(if: isHere, "no images"),
    arguments: [
      ("linux64", InnerImage.Kind.ept4), ("linux57", .ept5), ("linux32pae", .nptLong4),
      ("linux32", .nptPAE),
    ])
  func recordedGuest(name: String, kind: InnerImage.Kind) throws {
    let folder = try #require(SharedData.images)
    let core = "\(folder)/\(name).core"
    var image = InnerImage(kind)
    try image.embed(GuestImage(contentsOf: FilePath(core)))
    let file = try TemporaryFile("hypervisor.lime", bytes: image.lime)
    let sidecar = ["--registers", "\(folder)/\(name).json"]
    for command in [["map", "--format", "qemu"], ["tree", "--json"], ["roots", "--json"]] {
      let plain = try Command([command[0], core] + command.dropFirst() + sidecar)
      let inner = try Command(
        [command[0], file.path] + command.dropFirst() + sidecar + image.flags)
      #expect(inner.status == 0, "\(inner.error)")
      #expect(!inner.output.isEmpty)
      #expect(inner.output == plain.output, "\(command)")
    }
    let samples = try Manifest.read(name, in: folder).samples.prefix(60)
    let addresses = samples.map { "0x" + String($0.va.value, radix: 16) }
    let told = try Command(
      ["translate", file.path] + addresses + ["--json"] + sidecar + image.flags
    )
    .lines.map(object)
    try #require(told.count == samples.count)
    for (sample, line) in zip(samples, told) {
      #expect(line["pa"] as? String == sample.pa.map { "0x" + String($0.value, radix: 16) })
    }
  }

  @Test("E13 hostile second levels are errors or answers, never hangs")
  func hostile() throws {
    var loop = InnerImage(.ept4)
    for entry in UInt64(0)..<512 { loop.set(0x10_0000 + entry * 8, 0x10_0007) }
    let file = try TemporaryFile("loop.lime", bytes: loop.lime)
    let run = try run("info", file, loop, [])
    #expect(run.status == 2)
    #expect(run.error.contains("the second level maps more than can be followed"))
    var none = InnerImage(.ept4)
    none.set(0x50_0000, 1)
    let empty = try TemporaryFile("empty.lime", bytes: none.lime)
    let told = try self.run("translate", empty, none, ["0x1000", "--json"])
    #expect(told.output.contains(#""reason":"table unreadable""#))
    for wrong in [["--eptp", "0x1000", "--ncr3", "0x1000"], ["--host-mode", "pae"]] {
      #expect(try Command(["info", empty.path] + wrong).status == 64)
    }
    let high = try Command(["info", empty.path, "--ncr3", "0x10000000000", "--maxphyaddr", "40"])
    #expect(high.status == 2)
    #expect(high.error.contains("nCR3 is"))
  }
}
