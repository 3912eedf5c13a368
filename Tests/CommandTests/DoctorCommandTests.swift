import Foundation
import Notation
import SharedData
import Testing

@Suite("mmu info, read, search, rmap, audit and explain")
struct DoctorCommandTests {
  static let isHere = SharedData.images != nil

  private func image(_ name: String) throws -> String {
    try #require(SharedData.images) + "/" + name
  }

  private func objects(_ run: Command) throws -> [[String: Any]] {
    try run.lines.map { line in
      try #require(
        try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(line)")
    }
  }

  @Test(
    "info tells registers, memory and who told the mode",
    .enabled(if: isHere, "no recorded images"), arguments: SharedData.guests)
  func infoIsComplete(name: String) throws {
    let manifest = try Manifest.read(name, in: try #require(SharedData.images))
    let told = try #require(try objects(Command(["info", image("\(name).core"), "--json"])).first)
    #expect(told["format"] as? String == "ELF core")
    #expect(told["mode"] as? String == manifest.mode)
    #expect(told["modeFrom"] as? String == "sidecar")
    #expect(told["cr3"] as? String == "0x" + String(manifest.cr3.value, radix: 16))
    let cpus = try #require(told["vcpus"] as? [[String: Any]])
    #expect(cpus.count == 1)
    #expect(cpus.first?["cr4"] as? String == "0x" + String(manifest.cr4.value, radix: 16))
    let sizes = try #require(told["segments"] as? [[String: Any]]).map { segment in
      UInt64((segment["size"] as? String ?? "").dropFirst(2), radix: 16) ?? 0
    }
    #expect("0x" + String(sizes.reduce(0, +), radix: 16) == told["memorySize"] as? String)
  }

  @Test("info works on an image that names no CR3, and --cpu names vCPUs that are there")
  func infoOfBareImage() throws {
    let raw = try TemporaryFile("zeros.raw", String(repeating: "\0", count: 8192))
    let told = try Command(["info", raw.path, "--json"])
    #expect(told.status == 0)
    #expect(told.output.contains(#""mode":null,"notes":["no CR3 in the image or beside it"#))
    #expect(try Command(["info", raw.path, "--cpu", "1"]).status == 2)
    #expect(try Command(["info", "/nonexistent"]).status == 2)
  }

  @Test(
    "read gives raw bytes to a pipe or a file, and nothing at all where there is a hole",
    .enabled(if: isHere, "no recorded images"))
  func readIsWhole() throws {
    let core = try image("showcase.core")
    let banner = try Command(["read", core, "0xffffffff872001a0", "28"])
    #expect(banner.output == "Linux version 6.1.0-56-amd64")
    let file = try TemporaryFile("out", "old contents that are longer than the new ones")
    let written = try Command(
      ["read", core, "0xffffffff872001a0", "5", "--output", file.path])
    #expect(written.status == 0 && written.output.isEmpty)
    #expect(try String(contentsOfFile: file.path, encoding: .utf8) == "Linux")
    let hole = try Command(["read", core, "0x4edff0", "0x20", "--output", file.path])
    if hole.status != 0 {
      #expect(hole.status == 2 && hole.output.isEmpty)
      #expect(try String(contentsOfFile: file.path, encoding: .utf8) == "Linux")
    }
    let unmapped = try Command(["read", core, "0x10", "16"])
    #expect(unmapped.status == 2 && unmapped.output.isEmpty)
    #expect(unmapped.error == "mmu: \(core): VA 0x10 is not mapped: not present at level 2\n")
    let zeros = try Command(["read", core, "0x10", "4", "--zero-holes"])
    #expect(zeros.output == "\0\0\0\0")
    #expect(zeros.error.contains("1 pages cannot be read"))
    #expect(try Command(["read", core, "0xffffffffffffffff", "2"]).status == 64)
    #expect(try Command(["read", core, "0x10", "0"]).status == 0)
  }

  @Test("W3 every sample is found again from its frame", .enabled(if: isHere, "no recorded images"))
  func reverseMapFindsSamples() throws {
    for name in ["linux32", "linux32pae", "linux57"] {
      let manifest = try Manifest.read(name, in: try #require(SharedData.images))
      let samples = manifest.samples.filter { $0.pa != nil }.prefix(40)
      let targets = samples.compactMap { $0.pa.map { "0x" + String($0.value, radix: 16) } }
      let run = try Command(["rmap", image("\(name).core"), "--own-root", "--json"] + targets)
      #expect(run.status == 0)
      let uses = Set(
        try objects(run).map { "\($0["gpa"] as? String ?? "") \($0["va"] as? String ?? "")" })
      for sample in samples {
        let key =
          "0x\(String(sample.pa?.value ?? 0, radix: 16)) 0x\(String(sample.va.value, radix: 16))"
        #expect(uses.contains(key), "\(name): \(key)")
      }
    }
  }

  @Test("audit ends with a summary on every image", .enabled(if: isHere, "no recorded images"))
  func auditSummary() throws {
    for name in SharedData.guests + ["showcase"] {
      let run = try Command(["audit", image("\(name).core"), "--json"])
      #expect(run.status == 0)
      let last = try #require(try objects(run).last?["summary"] as? [String: Any])
      #expect(last["complete"] as? Bool == true)
      #expect((last["pages"] as? Int ?? 0) > 100, "\(name)")
      #expect((last["roots"] as? Int ?? 0) > 0)
    }
    let own = try Command(["audit", image("showcase.core"), "--own-root", "--pages", "--json"])
    #expect(own.output.contains(#"{"kind":"page","gpa":"0x29ee000","levels":[{"level":4,"#))
  }

  @Test(
    "W4 W14 audit and explain name a table that is not in the file, which translate calls unreadable",
    .enabled(if: isHere, "no recorded images"))
  func missingTableIsNamed() throws {
    let core = try image("showcase.core")
    let audit = try Command(["audit", core, "--root", "0xdead000", "--json"])
    #expect(
      audit.lines.first?.hasPrefix(
        #"{"kind":"finding","finding":"table not in the image","root":"0xdead000","va":"0x0","#
          + #""size":"0x1000000000000","gpa":"0xdead000","level":4,"count":1,"#) == true)
    let told = try Command(["explain", core, "0x1000", "--cr3", "0xdead000"])
    #expect(told.status == 0)
    #expect(
      told.output.contains(
        "Unknown: the page that holds the PML4E (GPA 0xdead000), level 4, is not in this file."))
  }

  @Test("an access that crosses a page is told in two parts", .enabled(if: isHere, "no images"))
  func crossingAccess() throws {
    let run = try Command([
      "explain", image("showcase.core"), "0x4edffc", "--access", "read", "--user", "--size", "8",
      "--json",
    ])
    #expect(try objects(run).map { $0["va"] as? String } == ["0x4edffc", "0x4ee000"])
  }

  @Test(
    "W17 --eptp reads the image through EPT, and a bad EPTP is an error",
    .enabled(if: isHere, "no images"))
  func nestedGuest() throws {
    let core = try image("showcase.core")
    let bad = try Command(["explain", core, "0x1000", "--eptp", "0x1001"])
    #expect(bad.status == 2)
    #expect(bad.error.hasPrefix("mmu: \(core): EPTP is 4097 (memory type 0 or 6"))
    // The guest's own tables are no EPT of anybody: nothing is known behind them.
    let told = try Command(["explain", core, "0x1000", "--eptp", "0x29ee01e", "--json"])
    #expect(told.status == 0)
    #expect(told.output.hasSuffix(#""secondLevel":null}"# + "\n"))
  }

  @Test(
    "W12 --mtrr-range decides the memory type of its addresses",
    .enabled(if: isHere, "no images"))
  func memoryTypeRanges() throws {
    let core = try image("showcase.core")
    func type(_ flags: [String]) throws -> String? {
      let told = try objects(
        Command(["explain", core, "0x4eda6a", "--user", "--access", "read", "--json"] + flags))
      return (told.first?["memoryType"] as? [String: Any])?["type"] as? String
    }
    #expect(try type([]) == "WB")
    #expect(try type(["--mtrr-range", "0x9e2d000+4 KiB=uc"]) == "UC")
    #expect(try type(["--mtrr-range", "0x9e2e000+4 KiB=uc"]) == "WB")
    #expect(try type(["--mtrr", "uc", "--mtrr-range", "0+1 GiB=wt"]) == "WT")
    for wrong in ["0=uc", "0+0=uc", "0+1 GiB=xx", "0xffffffffffffffff+2=uc", "1+2+3=wb"] {
      let run = try Command(["explain", core, "0", "--mtrr-range", wrong])
      #expect(run.status == 64, "\(wrong)")
    }
  }

  @Test("W4 --vendor amd makes bit 8 of a PML4E reserved")
  func vendor() throws {
    var bytes = [UInt8](repeating: 0, count: 0x5000)
    // PML4E with bit 8, PDPTE, PDE, PTE.
    for (place, entry) in [(0x1000, 0x2107), (0x2000, 0x3007), (0x3000, 0x4007), (0x4000, 0x1007)] {
      bytes[place] = UInt8(entry & 0xFF)
      bytes[place + 1] = UInt8(entry >> 8)
    }
    let raw = try TemporaryFile("tables.raw", bytes: bytes)
    let command = ["translate", raw.path, "0", "--cr3", "0x1000", "--mode", "long4", "--json"]
    #expect(try Command(command).output.contains(#""pa":"0x1000""#))
    let refused = try Command(command + ["--vendor", "amd"]).output
    #expect(refused.contains(#""reason":"reserved bit","level":4"#))
    #expect(try Command(command + ["--vendor", "intel"]).output.contains(#""pa":"0x1000""#))
  }

  @Test("an access that crosses a page is translated twice", .enabled(if: isHere, "no images"))
  func crossingTranslation() throws {
    let run = try Command([
      "translate", image("showcase.core"), "0x4edffc", "0x4edff8", "--size", "8", "--json",
    ])
    let objects = try objects(run)
    #expect(objects.count == 2)
    #expect((objects[0]["second"] as? [String: Any])?["va"] as? String == "0x4ee000")
    #expect(objects[1]["second"] == nil)
  }

  @Test("wrong usage is 64")
  func wrongUsage() throws {
    let raw = try TemporaryFile("zeros.raw", String(repeating: "\0", count: 8192))
    for wrong in [
      ["explain", raw.path], ["explain", raw.path, "0", "--size", "17"],
      ["explain", raw.path, "0", "--user"], ["explain", raw.path, "0", "--pat", "0x2"],
      ["explain", raw.path, "0", "--access", "fetch", "--shadow-stack"],
      ["read", raw.path, "0"], ["read", raw.path, "0", "1", "--hex", "--raw"],
      ["search", raw.path, "abc"], ["search", raw.path, "xy"], ["search", raw.path, ""],
      ["search", raw.path, "00", "--limit", "0"], ["rmap", raw.path],
      ["audit", raw.path, "--own-root", "--root", "0"],
    ] {
      #expect(try Command(wrong).status == 64, "\(wrong)")
    }
  }
}
