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
  @OptionGroup var nested: NestedOptions

  @Argument(help: "The virtual address.")
  var address: Number

  @Flag(help: "Print JSON Lines: one object a page of the access.")
  var json = false

  func run() throws {
    let judged = access.judged ?? .read
    var output = StandardOutput()
    let inner = try nested.space(options, access)
    let space = inner == nil ? try options.openAddressSpace(access.adjust) : nil
    for (index, part) in size.parts(of: GVA(address.value)).enumerated() {
      if !json, index > 0 { try output.write("") }
      if let inner {
        var situation = AccessSituation(
          judged, to: part, inner.registers, inner.features, pdptes: inner.pdptes)
        situation.caching = caching.context
        let told = NestedExplanation(situation, in: inner)
        try write(told.json, told.text, to: &output)
      } else if let space {
        let told = try explanation(of: judged, to: part, in: space)
        try write(told.json, told.text, to: &output)
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
