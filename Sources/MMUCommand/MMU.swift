import ArgumentParser
import PluginHost

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The command line.
///
/// Exit statuses: 0 done, 1 an expectation or check failed, 2 a named file or its contents is bad, 64
/// wrong usage.
@main
struct MMU: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mmu",
    abstract: "Translates, inspects and checks x86 guest memory.",
    subcommands: [
      Translate.self, Walk.self, ExplainAccess.self, Map.self, Tree.self, Roots.self, Info.self,
      Read.self, Search.self, ReverseMap.self, Audit.self, ForecastCommand.self, Decode.self,
      Layout.self, Run.self,
      Compare.self, CasesCommand.self, Races.self, PluginCommand.self, Bench.self,
    ])

  static func main() {
    // A reader that goes away early ends the output, quietly; see `StandardOutput`.
    _ = signal(SIGPIPE, SIG_IGN)
    ShrunkenFile.watch()
    if CommandLine.arguments.dropFirst().first == PluginIsolation.workerCommand {
      Self.exit(
        withError: ExitCode(PluginWorkerProcess.run(Array(CommandLine.arguments.dropFirst(2)))))
    }
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch let failure as FileFailure {
      StandardError.write(failure.description)
      Self.exit(withError: ExitCode(2))
    } catch {
      Self.exit(withError: error)
    }
  }
}
