import ArgumentParser

/// `mmu cases`.
struct CasesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cases",
    abstract: "Runs access cases and prints the first differences and the totals.",
    discussion: """
      Examples:
        mmu cases Examples/cases/first.jsonl
        mmu cases Examples/cases/first.jsonl --verify kvm
        mmu cases generate --mode long4 --count 1000 --seed 7
      """,
    subcommands: [CasesRun.self, CasesGenerate.self], defaultSubcommand: CasesRun.self)
}
