import Foundation
import SharedData
import Testing

@Suite("Colours")
struct ColourTests {
  private static let isHere = SharedData.images != nil

  /// Runs a command on a terminal of its own.
  private static let script = "/usr/bin/script"

  /// What `mmu` writes to a terminal.
  private func onTerminal(
    _ arguments: [String], _ environment: [String: String] = ["TERM": "xterm"]
  ) throws -> String {
    let process = Process()
    process.executableURL = URL(filePath: Self.script)
    let words = [Command.program.path] + arguments
    let line = words.map { "'\($0)'" }.joined(separator: " ")
    process.arguments = ["-qec", line, "/dev/null"]
    process.environment = environment
    let output = Pipe()
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    try process.run()
    let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return String(decoding: bytes, as: UTF8.self).replacingOccurrences(of: "\r\n", with: "\n")
  }

  @Test(
    "what stands out on a terminal is plain in a pipe, and everywhere with NO_COLOR",
    .enabled(if: isHere, "no recorded images"),
    .enabled(if: FileManager.default.isExecutableFile(atPath: script), "no script(1)"),
    arguments: [
      (["walk", "0x4eda6a", "--access", "write"], "\u{1B}[31m0x4eda6a refused"),
      (["explain", "0x4eda6a", "--access", "write", "--user"], "\u{1B}[31m  FAIL"),
      (["tree"], "\u{1B}[1mPML4 0x29ee000\u{1B}[0m"), (["map"], "  ur-x  "),
      (["audit", "--own-root"], "\u{1B}[32mno findings\u{1B}[0m"),
    ])
  func colours(arguments: [String], expected: String) throws {
    let core = try #require(SharedData.images) + "/showcase.core"
    let command = [arguments[0], core] + arguments.dropFirst()
    let plain = try Command(command).output
    #expect(!plain.contains("\u{1B}"))
    let coloured = try onTerminal(command)
    #expect(coloured.contains(expected), "\(coloured.prefix(600))")
    let bare = coloured.replacing(/\u{1B}\[[0-9]+m/, with: "")
    #expect(bare == plain)
    for environment in [["TERM": "xterm", "NO_COLOR": "1"], ["TERM": "dumb"]] {
      #expect(try onTerminal(command, environment) == plain)
    }
    #expect(!(try onTerminal(command + ["--json"]).contains("\u{1B}")))
  }
}
