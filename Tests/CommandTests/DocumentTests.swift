import Foundation
import TestSupport
import Testing

@Suite("Generated documents")
struct DocumentTests {
  private static func document(_ name: String) throws -> String {
    try String(contentsOfFile: SharedFiles.packageRoot + "/docs/" + name, encoding: .utf8)
  }

  @Test("docs/hooks.md is what the catalogue says")
  func hooks() throws {
    let run = try Command(["plugin", "list-hooks", "--markdown"])
    #expect(run.status == 0)
    #expect(try Self.document("hooks.md") == run.output)
    #expect(run.output.contains("## mmio_spte_mask"))
  }

  @Test("the tables of docs/spte-layouts.md are what the encoders say")
  func layouts() throws {
    let parts = try Self.document("spte-layouts.md").components(separatedBy: "<!-- mmu ")
      .dropFirst()
    #expect(!parts.isEmpty)
    for part in parts {
      let halves = part.components(separatedBy: " -->\n")
      let run = try Command(halves[0].split(separator: " ").map(String.init))
      #expect(run.status == 0)
      #expect(halves[1].hasPrefix(run.output + "<!-- end"), "\(halves[0])")
    }
  }

  @Test("every plugin that is shipped has a line in docs/plugins.md")
  func plugins() throws {
    let text = try Self.document("plugins.md")
    let folder = SharedFiles.packageRoot + "/Plugins"
    let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter {
      !$0.contains(".") && $0 != "include" && $0 != "Makefile"
    }
    #expect(names.count >= 10)
    for name in names { #expect(text.contains("| [\(name)](../Plugins/\(name)/"), "\(name)") }
  }
}
