import Foundation
import TestSupport
import Testing

@Suite("The README tells the truth")
struct ReadmeTests {
  private static let root = SharedFiles.packageRoot

  /// The README's fenced blocks of one language, each as its lines.
  private static func blocks(of language: String) throws -> [[String]] {
    let text = try String(contentsOfFile: root + "/README.md", encoding: .utf8)
    var blocks: [[String]] = []
    var block: [String]?
    for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
      if line == "```", let finished = block {
        blocks.append(finished)
        block = nil
      } else if block != nil {
        block?.append(line)
      } else if line == "```" + language {
        block = []
      }
    }
    return blocks
  }

  /// A console block's commands, each with the lines that it prints.
  private static func commands() throws -> [(command: [String], output: [String])] {
    var commands: [(command: [String], output: [String])] = []
    for line in try blocks(of: "console").joined() {
      if line.hasPrefix("$ ") {
        commands.append((line.dropFirst(2).split(separator: " ").map(String.init), []))
      } else if !commands.isEmpty {
        commands[commands.count - 1].output.append(line)
      }
    }
    return commands
  }

  @Test("every mmu command of the README exits with 0 and prints what is shown")
  func commandsPrintWhatIsShown() throws {
    let commands = try Self.commands().filter { $0.command.first == "mmu" }
    #expect(commands.count >= 4)
    for (command, output) in commands {
      let run = try Command(Array(command.dropFirst()), in: Self.root)
      #expect(run.status == 0, "\(command)")
      #expect(run.lines.map(String.init) == output, "\(command)")
    }
  }

  @Test("every make command of the README is a target of the Makefile")
  func makeTargetsExist() throws {
    let makefile = try String(contentsOfFile: Self.root + "/Makefile", encoding: .utf8)
    let targets = try Self.commands().filter { $0.command.first == "make" }
      .compactMap { $0.command.last }
    #expect(targets.contains("run") && targets.contains("test"))
    for target in targets {
      #expect(makefile.contains("\n\(target): "), "make \(target)")
      #expect(makefile.contains("\n.PHONY: \(target)\n"), "make \(target)")
    }
  }

  @Test(
    "the README's programs are the ones under Examples, and print what it says",
    arguments: ["WalkImage", "ComposeMachine"])
  func programsAreCompiled(name: String) throws {
    let source = try String(
      contentsOfFile: Self.root + "/Examples/\(name)/main.swift", encoding: .utf8)
    let programs = try Self.blocks(of: "swift").map { $0.joined(separator: "\n") + "\n" }
    #expect(programs.contains(source), "\(name) is not in the README as it is compiled")
    let run = try Command([], program: name, in: Self.root)
    #expect(run.status == 0)
    let shown = try #require(
      try Self.commands().first { $0.command == ["swift", "run", name] }, "swift run \(name)")
    #expect(run.lines.map(String.init) == shown.output)
  }
}
