import Foundation
import SharedData
import Testing

@Suite("mmu map, roots, tree and decode")
struct InspectionCommandTests {
  static let isHere = SharedData.images != nil

  private func image(_ name: String) throws -> String {
    try #require(SharedData.images) + "/" + name
  }

  @Test("map prints runs and pages with the keys of the format", .enabled(if: isHere, "no images"))
  func mapHasItsKeys() throws {
    let core = try image("linux64.core")
    let runs = try Command(["map", core, "--format", "json"])
    #expect(runs.status == 0)
    #expect(
      runs.lines.first
        == #"{"start":"0x401000","end":"0x490000","size":"0x8f000","permissions":"ur-x"}"#)
    let pages = try Command(["map", core, "--pages", "--json"])
    #expect(pages.lines.count == 74_716)
    let page =
      #"{"va":"0x401000","pa":"0x7b0b000","pageSize":"0x1000","permissions":"ur-x","global":false,"#
      + #""accessed":true,"dirty":false}"#
    #expect(pages.lines.first.map(String.init) == page)
    let limited = try Command(["map", core, "--limit", "100"])
    #expect(limited.status == 2)
    #expect(limited.error.contains("more than can be listed (at most 100 pages"))
    #expect(limited.output.isEmpty)
  }

  @Test(
    "map --diff prints nothing for equal images and the change for others",
    .enabled(if: isHere, "no images"))
  func mapDiffers() throws {
    let core = try image("linux64.core")
    #expect(try Command(["map", core, "--diff", image("linux64.lime")]).output.isEmpty)
    let other = try Command(["map", core, "--diff", core, "--diff-cr3", "0x105c000", "--json"])
    let removed =
      #"{"change":"removed","start":"0x401000","end":"0x490000","size":"0x8f000","before":"ur-x","#
      + #""after":null}"#
    #expect(other.lines.first.map(String.init) == removed)
    #expect(other.lines.allSatisfy { $0.contains(#""change":"removed""#) })
  }

  @Test("a table that holds itself is an error and not a hang")
  func hostileMapEnds() throws {
    let entry: [UInt8] = [0x67, 0x10, 0, 0, 0, 0, 0, 0]
    let page = Array(repeatElement(entry, count: 512).joined())
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "self.raw")
    try Data([UInt8](repeating: 0, count: 4096) + page).write(to: file)
    let flags = ["--cr3", "0x1000", "--mode", "long4"]
    let run = try Command(["map", file.path, "--limit", "100000"] + flags)
    #expect(run.status == 2)
    #expect(run.error.split(separator: "\n").count == 1)
    let tree = try Command(["tree", file.path, "--json"] + flags)
    #expect(tree.status == 0)
    #expect(tree.lines.count == 5)
    #expect(tree.lines.first?.contains(#""level":4,"name":"PML4","tables":1"#) == true)
    #expect(try Command(["roots", file.path]).status == 0)
  }

  @Test(
    "roots come best first, and translate --any-root says which root answers",
    .enabled(if: isHere, "no images"))
  func rootsAreNamed() throws {
    let core = try image("linux64.core")
    let roots = try Command(["roots", core, "--json"])
    #expect(roots.lines.count == 12)
    #expect(
      roots.lines.first?.hasPrefix(
        #"{"root":"0x29ee000","mode":"long4","mappings":74716,"score":0.975,"kernel":false"#)
        == true)
    let kernel = roots.lines.filter { $0.contains(#""kernel":true"#) }
    #expect(kernel.count == 1 && kernel[0].hasPrefix(#"{"root":"0x7210000""#))
    let line = try Command(["translate", core, "0xffffffff872001a0", "--any-root", "--json"])
    #expect(
      line.output.hasSuffix(#""dirty":true,"root":"0x29ee000","mode":"long4"}"# + "\n"))
    #expect(line.output.contains(#""pa":"0x68001a0""#))
    let zeros = try TemporaryFile("zeros.raw", String(repeating: "\0", count: 8192))
    let none = try Command(["translate", zeros.path, "0", "--any-root"])
    #expect(none.status == 2)
    #expect(none.error == "mmu: \(zeros.path): no page-table root was found\n")
  }

  @Test("tree counts tables per level and draws them", .enabled(if: isHere, "no images"))
  func treeIsDrawn() throws {
    let core = try image("linux64.core")
    let json = try Command(["tree", core, "--json"])
    let expected = """
      {"level":4,"name":"PML4","tables":1,"shared":0,"mostLinks":1,"links":73,"pages":0,\
      "pageSize":"0x8000000000","malformed":0,"unreadable":0}
      {"level":3,"name":"PDPT","tables":73,"shared":0,"mostLinks":1,"links":14,"pages":0,\
      "pageSize":"0x40000000","malformed":0,"unreadable":0}
      {"level":2,"name":"PD","tables":11,"shared":1,"mostLinks":4,"links":542,"pages":100,\
      "pageSize":"0x200000","malformed":0,"unreadable":0}
      {"level":1,"name":"PT","tables":31,"shared":1,"mostLinks":512,"links":0,"pages":9112,\
      "pageSize":"0x1000","malformed":0,"unreadable":0}
      {"summary":{"tables":116,"links":629,"pages":9212,"cutShort":false}}

      """
    #expect(json.output == expected)
    let text = try Command(["tree", core])
    #expect(text.output.contains("├─ [254] PDPT 0x2a98000  from 0x7f0000000000"))
    let svg = try Command(["tree", core, "--svg", "-"]).output
    #expect(svg.hasPrefix("<svg xmlns") && svg.hasSuffix("</svg>\n"))
    #expect(svg.components(separatedBy: "<title>").count == 117)
    #expect(svg.components(separatedBy: "<path").count == 116)
    let html = try Command(["tree", core, "--html", "-"]).output
    #expect(html.hasPrefix("<!DOCTYPE html>") && html.contains("<td>PML4</td><td>1</td>"))
    #expect(try Command(["tree", core, "--svg", "/nonexistent/a.svg"]).status == 2)
    #expect(try Command(["tree", core, "--svg", "-", "--html", "-"]).status == 64)
  }

  @Test(
    "decode tells the kind of an entry in every format",
    arguments: [
      (["legacy32", "0x54000e7", "--level", "2"], "page"),
      (["legacy32", "0x2000e7", "--level", "2"], "reserved"),
      (["legacy32", "0x1000"], "not-present"),
      (["pae", "0x3e94001", "--level", "3"], "table"),
      (["pae", "0x3e94021", "--level", "3"], "reserved"),
      (["pae", "0x11bc063", "--level", "2"], "table"),
      (["long4", "0x8000000000000163"], "page"),
      (["long4", "0x10000000067", "--maxphyaddr", "40"], "reserved"),
      (["long4", "0x10000000067", "--maxphyaddr", "41"], "page"),
      (["long5", "0x67", "--level", "5"], "table"),
      (["long5", "0xe7", "--level", "5"], "reserved"),
      (["ept", "0x80000000012c0b37"], "page"),
      (["ept", "0x107", "--level", "3"], "table"),
      (["ept", "0x80000000000005a0"], "frozen"),
      (["ept", "0x8000000000000000"], "not-present"),
      (["ept", "0x8000000000000006"], "reserved"),
    ] as [([String], String)])
  func decodeTellsKinds(arguments: [String], kind: String) throws {
    let run = try Command(["decode"] + arguments + ["--json"])
    #expect(run.status == 0)
    #expect(run.output.contains(#""kind":"\#(kind)""#), "\(run.output)")
  }

  @Test("decode reads GFN and generation of an MMIO entry; layout prints the fields")
  func decodeReadsMMIO() throws {
    let run = try Command(["decode", "ept", "0x30000000fee0056e", "--maxphyaddr", "46", "--json"])
    // Low bits 10:3 hold 0xad, bits 62:52 hold 0x300.
    #expect(
      run.output.hasPrefix(
        #"{"format":"ept","value":"0x30000000fee0056e","level":1,"name":"EPT PTE","kind":"mmio","#
          + #""gfn":"0xfee00","access":"0x0","generation":196781,"fields":[{"name":"#),
      "\(run.output)")
    let layout = try Command(["layout", "ept", "--json", "--maxphyaddr", "46"])
    #expect(layout.status == 0)
    #expect(
      layout.lines.contains { $0.hasPrefix(#"{"name":"ADDR","bits":"45:12","role":"address""#) })
    for line in layout.lines {
      #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(line.utf8)) }
    }
  }

  @Test("wrong usage exits with 64")
  func usageIsRefused() throws {
    for wrong in [
      ["decode", "long6", "1"], ["decode", "long4", "zz"],
      ["decode", "long4", "1", "--level", "5"],
      ["decode", "legacy32", "0x100000000"], ["decode", "ept", "1", "--maxphyaddr", "60"],
      ["decode", "long4"], ["layout", "vax"], ["map"], ["roots"],
      ["map", "a", "--format", "xml"], ["map", "a", "--pages", "--format", "qemu"],
      ["map", "a", "--limit", "0"],
    ] {
      #expect(try Command(wrong).status == 64, "\(wrong)")
    }
    #expect(try Command(["map", "/nonexistent"]).status == 2)
    #expect(try Command(["roots", "/nonexistent"]).status == 2)
  }
}
