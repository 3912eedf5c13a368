import ArgumentParser
import GuestImage
import Paging
import Report
import X86

/// `mmu translate`.
struct Translate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Translates virtual addresses of an image, one line each.",
    discussion: """
      Without --access the walk reports rights and judges nothing. Addresses are hex with 0x, or \
      decimal; - reads them from standard input, one a line.
      """)

  @OptionGroup var options: ImageOptions
  @OptionGroup var access: AccessOptions

  @Argument(help: "The virtual addresses, or - for standard input.")
  var addresses: [AddressArgument]

  @Flag(help: "Exit with 1 where an address has no translation.")
  var allMapped = false

  @Flag(help: "Print JSON Lines.")
  var json = false

  func run() throws {
    let space = try options.openAddressSpace(access.adjust)
    var output = StandardOutput()
    var isAllMapped = true
    for address in try AddressArgument.resolve(addresses) {
      let outcome =
        if let judged = access.judged {
          space.translate(address, for: judged, Judge())
        } else {
          space.translate(address, Probe())
        }
      let line = TranslationLine(
        address: address, outcome: outcome, isJudged: access.judged != nil)
      isAllMapped = isAllMapped && line.isMapped
      try output.write(json ? line.json.line : line.text)
    }
    try output.flush()
    if allMapped, !isAllMapped { throw ExitCode(1) }
  }
}
