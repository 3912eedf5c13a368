import ArgumentParser
import GuestImage
import Inspection
import Paging
import Report
import X86

/// `mmu audit`.
struct Audit: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Looks an image's tables through: roots with reasons, missing tables, anomalies.",
    discussion: """
      Findings are facts to look at, not verdicts: kernels map some pages writable and executable \
      while they start, and shared memory is writable in one process and not in another. The status \
      is 0 whatever is found.

      Examples:
        mmu audit guest.core --json
      """)

  @OptionGroup var options: ImageOptions
  @OptionGroup var roots: RootOptions

  @Option(help: "Where the kernel's half begins in 32-bit modes.")
  var kernelStart: Number?

  @Flag(help: "Rate every page of the image as a table, too.")
  var pages = false

  @Flag(help: "Print JSON Lines: roots, findings and pages, each with \"kind\", then the summary.")
  var json = false

  func run() throws {
    let own = try options.openAddressSpace()
    let found = roots.searches ? RootFinder(own.image).findShowingProgress() : []
    let spaces = try roots.spaces(from: own, found, named: options.image)
    let audit = ImageAudit(
      of: spaces, kernelStart: kernelStart.map { GVA($0.value) } ?? ImageAudit.usualKernelStart)
    let lines = AuditLines(audit: audit, found: found, spaces: spaces)
    var output = StandardOutput()
    for line in json ? lines.jsonHead.map(\.line) : lines.textHead { try output.write(line) }
    if pages {
      for rating in ratings(own) {
        try output.write(
          json ? AuditLines.json(rating).line : AuditLines.text(rating))
      }
    }
    for line in json ? [lines.jsonSummary.line] : lines.textSummary { try output.write(line) }
    try output.flush()
  }

  private func ratings(_ space: ImageAddressSpace) -> [PageRating] {
    let mode = space.registers.mode
    let highest =
      switch mode {
      case .long5: 5
      case .long4: 4
      default: 2
      }
    return PageRating.all(
      in: space.image, wideEntries: mode != .legacy32, highest: Level(highest))
  }
}
