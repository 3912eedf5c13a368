import Foundation
import Testing

@Suite("mmu plugin")
struct PluginCommandTests {
  @Test("check shows manifest, hooks and answers")
  func check() throws {
    let built = try BuiltPlugins()
    let file = built.folder + "/mmio_window.so"
    let run = try Command([
      "plugin", "check", file, "--set", "window-start=0xfe000000", "--set", "window-size=1",
    ])
    #expect(run.status == 0)
    #expect(run.lines.first == "mmio_window 1.0, thread-safe")
    #expect(run.lines.contains("  write of gpa 0xfe000000, no memslot: deny"))
    #expect(run.lines.contains("  read of gpa 0x1000: proceed"))
    let json = try Command(["plugin", "check", file, "--json"])
    #expect(json.status == 0)
    #expect(
      json.lines.first == #"{"plugin":"mmio_window","version":"1.0","threadSafe":true}"#)
    #expect(json.lines.allSatisfy { $0.hasPrefix("{") && $0.hasSuffix("}") })
  }

  @Test("a wrong plugin is one line and status 2; a wrong flag 64")
  func refusals() throws {
    let built = try BuiltPlugins()
    let file = built.folder + "/mmio_window.so"
    let bytes = try Data(contentsOf: URL(filePath: file))
    let cut = built.folder + "/cut.so"
    try bytes.prefix(bytes.count / 2).write(to: URL(filePath: cut))
    for (path, says) in [(cut, "truncated"), (built.folder + "/none.so", "No such file")] {
      let run = try Command(["plugin", "check", path])
      #expect(run.status == 2)
      #expect(run.output.isEmpty)
      #expect(run.error.hasPrefix("mmu: \(path): "))
      #expect(run.error.contains(says), "\(run.error)")
      #expect(run.error.split(separator: "\n").count == 1)
    }
    let declined = try Command(["plugin", "check", file, "--set", "ept-mask=9"])
    #expect(declined.status == 2)
    #expect(declined.error.contains("declined"))
    #expect(try Command(["plugin", "check", file, "--set", "="]).status == 64)
  }

  @Test("list-hooks names every hook of the catalogue with its parameters")
  func hooks() throws {
    let run = try Command(["plugin", "list-hooks"])
    #expect(run.status == 0)
    #expect(run.lines.contains("mmio_spte_mask: asked once, when the MMU is composed"))
    #expect(run.lines.contains { $0.hasPrefix("  u32 maxphyaddr: ") })
    #expect(try Command(["plugin", "list-hooks", "--json"]).lines.count == 13)
  }
}
