import ArgumentParser
import Forecast
import GuestImage
import Notation
import Paging
import Report
import Scenario
import SystemPackage

/// `mmu forecast`.
struct ForecastCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "forecast",
    abstract: "Predicts what logging the written pages of an image's guest would cost.",
    discussion: """
      The trace is JSON Lines, as `mmu run --trace` writes it.

      Examples:
        mmu forecast guest.core --trace accesses.jsonl --round 10000
      """)

  @OptionGroup var options: ImageOptions

  @Option(help: "The accesses: a trace, JSON Lines.")
  var trace: String

  @Option(help: "The length of a round, in accesses.")
  var round = 10_000

  @Option(help: "The largest page that the host backs the guest with: 4KiB, 2MiB or 1GiB.")
  var backing = BackingArgument.size2MiB

  @Option(help: "The entries of each vCPU's dirty ring, 128 to 1048576.")
  var ring = 4096

  @Flag(help: "Print JSON Lines: the trace and what is assumed, then one object a policy.")
  var json = false

  /// The values of `--backing`.
  enum BackingArgument: String, ExpressibleByArgument, CaseIterable {
    case size4KiB = "4KiB"
    case size2MiB = "2MiB"
    case size1GiB = "1GiB"

    var size: PageSize {
      switch self {
      case .size4KiB: .size4KiB
      case .size2MiB: .size2MiB
      case .size1GiB: .size1GiB
      }
    }
  }

  func validate() throws {
    if round < 1 { throw ValidationError("--round \(round): at least 1 access") }
    if !(128...1 << 20).contains(ring) {
      throw ValidationError("--ring \(ring) (allowed: 128 to 1048576)")
    }
  }

  func run() throws {
    let space = try options.openAddressSpace()
    let records: [TraceRecord]
    do {
      records = try TraceRecord.read(FilePath(trace))
    } catch {
      throw FileFailure(trace, line: error.line, error.message)
    }
    let end = space.image.segments.map { $0.end.rawValue &- 1 }.max() ?? 0
    let forecast = Forecast(
      records, in: space,
      ForecastAssumptions(
        roundLength: round, backing: backing.size, ringSize: ring, frameCount: end >> 12 + 1))
    var output = StandardOutput()
    for line in json ? forecast.json.map(\.line) : forecast.text { try output.write(line) }
    try output.flush()
  }
}
