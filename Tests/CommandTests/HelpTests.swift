import Foundation
import TestSupport
import Testing

@Suite("Help and documentation of every command")
struct HelpTests {
  /// The names under `SUBCOMMANDS:` of a command's help.
  private static func subcommands(of command: [String]) throws -> [String] {
    let lines = try Command(command + ["--help"]).output
      .split(separator: "\n", omittingEmptySubsequences: false)
    let list = lines.drop { $0 != "SUBCOMMANDS:" }.dropFirst().prefix { !$0.isEmpty }
    // Two blanks and the name; what follows further in is the abstract.
    return list.filter { $0.hasPrefix("  ") && !$0.hasPrefix("   ") }
      .map { String($0.dropFirst(2).prefix { $0 != " " }) }
  }

  @Test("every command has an example in its help, and a page with one")
  func everyCommand() throws {
    let commands = try Self.subcommands(of: [])
    #expect(commands.contains("translate") && commands.contains("plugin") && commands.count > 10)
    let index = try String(contentsOfFile: Self.page("README"), encoding: .utf8)
    for command in commands {
      let page = try? String(contentsOfFile: Self.page(command), encoding: .utf8)
      #expect(page?.contains("mmu \(command) ") == true, "docs/commands/\(command).md")
      #expect(page?.contains("```") == true, "docs/commands/\(command).md has no example")
      #expect(index.contains("(\(command).md)"), "docs/commands/README.md does not list \(command)")
      try expectExample([command])
      for inner in try Self.subcommands(of: [command]) { try expectExample([command, inner]) }
    }
  }

  private func expectExample(_ command: [String]) throws {
    let help = try Command(command + ["--help"])
    #expect(help.status == 0)
    let examples = help.output.split(separator: "\n")
      .drop { !$0.hasSuffix("Examples:") }.dropFirst()
    let name = "mmu " + command.joined(separator: " ")
    #expect(examples.first?.contains(name) == true, "mmu \(command.joined(separator: " ")) --help")
  }

  private static func page(_ name: String) -> String {
    SharedFiles.packageRoot + "/docs/commands/\(name).md"
  }

  @Test("completion scripts name every command", arguments: ["bash", "zsh", "fish"])
  func completion(shell: String) throws {
    let run = try Command(["--generate-completion-script", shell])
    #expect(run.status == 0)
    for command in try Self.subcommands(of: []) { #expect(run.output.contains(command)) }
    #expect(run.output.contains("qmp-timeout"))
    #expect(try Command(["--generate-completion-script", "tcsh"]).status == 64)
  }

  @Test("nothing printed into a pipe has escape codes")
  func noEscapes() throws {
    let image = SharedFiles.packageRoot + "/Examples/images/showcase.core"
    for arguments in [
      ["map", image], ["tree", image], ["audit", image], ["read", image, "0x4eda6a", "16"],
      ["explain", image, "0x10"], ["walk", image, "0x10"],
    ] {
      let run = try Command(arguments)
      // `read` writes raw bytes; on standard error nothing may be coloured either.
      if arguments[0] != "read" { #expect(!run.output.contains("\u{1B}")) }
      #expect(!run.error.contains("\u{1B}"))
    }
  }
}
