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

  /// Does what `make plugins` does, for the commands that load one.
  private static func buildPlugins() throws {
    let make = Process()
    make.executableURL = URL(filePath: "/usr/bin/env")
    make.arguments = ["make", "--silent", "-C", root + "/Plugins"]
    try make.run()
    make.waitUntilExit()
    try #require(make.terminationStatus == 0)
  }

  /// Whether lines are the shown ones; a shown `…` stands for any number of lines.
  private static func matches(_ lines: [String], _ shown: [String]) -> Bool {
    let parts = shown.filter { !$0.isEmpty }
      .split(separator: "…", omittingEmptySubsequences: false)
    guard let first = parts.first, let last = parts.last else { return false }
    if parts.count == 1 { return lines == Array(first) }
    guard lines.starts(with: first), lines.count >= first.count + last.count,
      lines.suffix(last.count).elementsEqual(last)
    else { return false }
    var rest = lines.dropFirst(first.count).dropLast(last.count)
    for part in parts.dropFirst().dropLast() {
      guard let found = rest.firstRange(of: part) else { return false }
      rest = rest[found.upperBound...]
    }
    return true
  }

  @Test(
    "lines that the README leaves out are told from lines that are wrong",
    arguments: [
      (["a", "b"], true), (["a"], false), (["a", "…"], true), (["…", "b"], true),
      (["…", "a"], false), (["a", "…", "b"], true), (["a", "b", "…", "b"], false),
      (["b", "…"], false), (["…", "x", "…"], false), (["…", "", "b", "…"], true),
    ] as [([String], Bool)])
  func leftOutLines(shown: [String], isMatch: Bool) {
    #expect(Self.matches(["a", "b"], shown) == isMatch)
  }

  @Test("every mmu command of the README exits with 0 and prints what is shown")
  func commandsPrintWhatIsShown() throws {
    try Self.buildPlugins()
    let commands = try Self.commands().filter { $0.command.first == "mmu" }
    #expect(commands.count >= 4)
    for (command, output) in commands {
      let run = try Command(Array(command.dropFirst()), in: Self.root)
      #expect(run.status == 0, "\(command)")
      #expect(
        Self.matches(run.lines.map(String.init), output),
        "\(command.joined(separator: " ")) prints:\n\(run.output)")
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

  @Test("the README's plugin compiles, and denies what it says")
  func pluginIsCompiled() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "mmu-readme-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let source = try #require(try Self.blocks(of: "c").first).joined(separator: "\n") + "\n"
    try source.write(to: folder.appending(path: "guard.c"), atomically: true, encoding: .utf8)
    let compiler = Process()
    compiler.executableURL = URL(filePath: "/usr/bin/env")
    compiler.arguments = [
      "cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
      "-I\(Self.root)/Plugins/include", "-o", folder.path + "/guard.so", folder.path + "/guard.c",
    ]
    try compiler.run()
    compiler.waitUntilExit()
    try #require(compiler.terminationStatus == 0)
    let check = try Command(["plugin", "check", folder.path + "/guard.so"], in: Self.root)
    #expect(check.status == 0)
    #expect(check.output.contains("fault_policy: guard"))

    let scenario = """
      scenario: 1
      machine:
        guest: none
        mmu: ept
        memory: [{gpa: 0x0, size: 2 MiB}]
      steps:
        - write: {va: 0x1000, value: 1}
          expect: {ok: false}
        - write: {va: 0x100000, value: 1}
          expect: {ok: true}
      """
    let file = folder.path + "/scenario.yaml"
    try scenario.write(toFile: file, atomically: true, encoding: .utf8)
    let with = try Command(["run", file, "--plugin", folder.path + "/guard.so"], in: Self.root)
    #expect(with.status == 0, "\(with.output)")
    let without = try Command(["run", file], in: Self.root)
    #expect(without.status == 1, "without the plugin nobody denies")
  }
}
