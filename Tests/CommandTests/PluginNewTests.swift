import Foundation
import TestSupport
import Testing

@Suite("mmu plugin new (SPEC H7)")
struct PluginNewTests {
  private static func hasRust() -> Bool {
    (try? BuiltPlugins.make(["-n", "RUSTC=rustc"]).output.contains("left out")) == false
  }

  @Test(
    "what it writes compiles, passes the check, and denies what it says", arguments: ["c", "c++"])
  func compiles(language: String) throws { try check(language) }

  @Test("so does the one in Rust", .enabled(if: hasRust(), "no rustc"))
  func compilesRust() throws { try check("rust") }

  private func check(_ language: String) throws {
    let place = try TemporaryFile("empty", "")
    let folder = URL(filePath: place.path).deletingLastPathComponent().path
    let new = try Command(["plugin", "new", "mine", "--language", language], in: folder)
    #expect(new.status == 0, "\(new.error)")
    let made = try BuiltPlugins.make(
      ["MMU_PLUGIN_INCLUDE=\(SharedFiles.packageRoot)/Plugins/include"], in: folder + "/mine")
    try #require(made.status == 0)
    let run = try Command([
      "plugin", "check", folder + "/mine/mine.so", "--set", "start=0x100000", "--set",
      "size=0x200000",
    ])
    #expect(run.status == 0)
    #expect(run.lines.first == "mine 0.1, thread-safe")
    #expect(run.lines.contains("  write of gpa 0x200000, user: deny"))
    #expect(run.lines.contains("  write of gpa 0xfe000000, no memslot: proceed"))

    let again = try Command(["plugin", "new", "mine"], in: folder)
    #expect(again.status == 2)
    #expect(again.error == "mmu: mine: File exists\n")
  }

  @Test("a name that is none is wrong usage", arguments: ["../x", "", "1a", "a-b", "ä"])
  func names(name: String) throws {
    #expect(try Command(["plugin", "new", name]).status == 64)
  }
}
