import ArgumentParser
import Explain
import GuestImage
import Paging
import X86
import X86Guest
import X86PAE

/// `mmu explain`.
struct ExplainAccess: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain",
    abstract:
      "Tells one access: entries, rules, error code, the smallest change that would let it through.",
    discussion: """
      Without --access a supervisor read is told. An access of several bytes that crosses a page is \
      told in two parts, the lower first. A table that the image does not hold is named as such, \
      which is not "not mapped".

      Examples:
        mmu explain guest.core 0x4eda6a --access write --user
      """)

  @OptionGroup var options: ImageOptions
  @OptionGroup var access: AccessOptions
  @OptionGroup var caching: CachingOptions

  @Argument(help: "The virtual address.")
  var address: Number

  @Option(help: "The bytes of the access, 1 to 16.")
  var size = 1

  @Flag(help: "Print JSON Lines: one object a page of the access.")
  var json = false

  func validate() throws {
    guard (1...16).contains(size) else { throw ValidationError("--size is \(size) (1...16)") }
  }

  func run() throws {
    let space = try options.openAddressSpace(access.adjust)
    let judged = access.judged ?? .read
    var output = StandardOutput()
    for (index, part) in pages(GVA(address.value)).enumerated() {
      let explanation = try explanation(of: judged, to: part, in: space)
      if json {
        try output.write(explanation.json)
      } else {
        if index > 0 { try output.write("") }
        for line in explanation.text { try output.write(line) }
      }
    }
    try output.flush()
  }

  /// The first address of the access on each page that it touches.
  private func pages(_ first: GVA) -> [GVA] {
    let last = first.wrappingAdd(UInt64(size - 1))
    return first.frame == last.frame ? [first] : [first, last.roundedDown(to: .size4KiB)]
  }

  private func explanation(
    of judged: X86Access, to address: GVA, in space: ImageAddressSpace
  ) throws -> Explanation {
    guard let regime = space.regime else {
      throw FileFailure(
        options.image, "the page that holds the PDPTEs (CR3) is not in this file")
    }
    var situation = AccessSituation(judged, to: address, space.registers, space.features)
    if case .pae(let pae) = regime { situation.pdptes = pae.root }
    situation.caching = caching.context
    return Explainer(space.image).explain(situation)
  }
}
