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
      decimal; - reads them from standard input, one a line. Where an access of --size bytes \
      crosses a page, the second page's object is in "second", or on a line of its own.

      Examples:
        mmu translate guest.core 0xffffffff81000000
        mmu translate guest.core - --access write --user --json < addresses
        mmu translate qmp:/run/guest.qmp --ram /dev/shm/guest 0x401000
      """)

  @OptionGroup var options: ImageOptions
  @OptionGroup var access: AccessOptions
  @OptionGroup var size: SizeOptions

  @Argument(help: "The virtual addresses, or - for standard input.")
  var addresses: [AddressArgument]

  @Flag(help: "Exit with 1 where an address has no translation.")
  var allMapped = false

  @Flag(
    help: "Try all roots that mmu roots finds, best first; the line names the one that answers.")
  var anyRoot = false

  @Flag(help: "Print JSON Lines.")
  var json = false

  func run() throws {
    if anyRoot { return try runAnyRoot() }
    let space = try options.openAddressSpace(access.adjust)
    var output = StandardOutput()
    var isAllMapped = true
    let judged = access.judged
    let isJSON = json
    for address in try AddressArgument.resolve(addresses) {
      let lines = size.parts(of: address).map { part in
        TranslationLine(part, in: space, judged)
      }
      isAllMapped = isAllMapped && lines.allSatisfy(\.isMapped)
      if isJSON {
        var object = lines[0].json
        if lines.count > 1 { object.add("second", lines[1].json) }
        try output.write(object)
      } else {
        for line in lines { try output.write(line.text) }
      }
    }
    try output.flush()
    if allMapped, !isAllMapped { throw ExitCode(1) }
  }
}
