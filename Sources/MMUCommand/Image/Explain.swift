import ArgumentParser
import Explain
import GuestImage
import Inspection
import Paging
import Report
import X86
import X86Guest
import X86PAE

/// `mmu explain`.
struct ExplainAccess: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain",
    abstract: "Tells one access: entries, rules, error code, and what would let it through.",
    discussion: """
      Without --access a supervisor read is told. An access of several bytes that crosses a page is \
      told in two parts, the lower first. A table that the image does not hold is named as such, \
      which is not "not mapped".

      Examples:
        mmu explain guest.core 0x4eda6a --access write --user
      """)

  @OptionGroup var options: ImageOptions
  @OptionGroup var access: AccessOptions
  @OptionGroup var size: SizeOptions
  @OptionGroup var caching: CachingOptions

  @Argument(help: "The virtual address.")
  var address: Number

  @Flag(help: "Print JSON Lines: one object a page of the access.")
  var json = false

  func run() throws {
    let judged = access.judged ?? .read
    var output = StandardOutput()
    let space = try options.openAddressSpace(access.adjust)
    for (index, part) in size.parts(of: GVA(address.value)).enumerated() {
      if !json, index > 0 { try output.write("") }
      let situation = try situation(of: judged, to: part, in: space)
      if let inner = space.image.inner {
        let told = InnerExplanation(situation, in: inner)
        try write(told.json, told.text, to: &output)
      } else {
        let told = Explainer(space.image).explain(situation)
        try write(told.json, told.text(styled: Terminal.style), to: &output)
      }
    }
    try output.flush()
  }

  private func write(
    _ object: JSONLine, _ lines: [String], to output: inout StandardOutput
  ) throws {
    if json { try output.write(object) }
    if !json { for line in lines { try output.write(line) } }
  }

  private func situation(
    of judged: X86Access, to address: GVA, in space: ImageAddressSpace
  ) throws -> AccessSituation {
    guard let regime = space.regime else {
      throw FileFailure(options.image, "the page that holds the PDPTEs (CR3) \(unreadable(space))")
    }
    var situation = AccessSituation(judged, to: address, space.registers, space.features)
    if case .pae(let pae) = regime { situation.pdptes = pae.root }
    situation.caching = caching.context
    return situation
  }

  private func unreadable(_ space: ImageAddressSpace) -> String {
    let outcome = space.outcome(GVA(address.value), nil)
    guard
      case .failure(let failure) = space.secondLevel(
        of: outcome, at: GVA(address.value), for: .read)
    else { return "is not in this file" }
    return failure.description
  }
}
