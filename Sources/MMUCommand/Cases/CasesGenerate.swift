import AccessCases
import ArgumentParser
import Report
import X86

/// `mmu cases generate`.
struct CasesGenerate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate",
    abstract: "Writes new access cases, with what the model makes of them.",
    discussion: """
      Most tables are sound; some entries are absent, refuse, or have a reserved bit. The same seed gives
      the same cases.

      Examples:
        mmu cases generate --mode long4 --count 1000 --seed 7
      """)

  @Option(help: "legacy32, pae, long4 or long5.")
  var mode: ModeArgument

  @Option(help: "How many.")
  var count = 100

  @Option(help: "Any number: another seed, other cases.")
  var seed = 1 as UInt64

  func validate() throws {
    guard (1...10_000_000).contains(count) else {
      throw ValidationError("--count is a number from 1 to 10000000")
    }
  }

  func run() throws {
    var generator = CaseGenerator(mode: mode.mode, seed: seed)
    var output = StandardOutput()
    for _ in 0..<count { try output.write(generator.next().json.line) }
    try output.flush()
  }
}
