/// An encoder whose software bits may lie elsewhere than it puts them by itself.
public protocol AdjustableEncoder: SPTEEncoder {
  /// What judges its entries when a layout is composed.
  associatedtype Legality: EntryLegality

  /// What judges its entries.
  var legality: Legality { get }
  /// The bits that hardware ignores in every present entry: those that software may have (SPEC E17).
  var ignoredBits: UInt64 { get }

  /// This encoder with another layout. **Requires** one made of its own by `SPTELayout.adjusted`.
  func with(_ layout: SPTELayout) -> Self
}

extension AdjustableEncoder {
  /// This encoder with the software bits of a proposal.
  ///
  /// - Throws: `LayoutError` where the proposal breaks a rule of SPEC E6, E9 or E17.
  public func adjusted(by proposal: SPTELayoutProposal) throws(LayoutError) -> Self {
    with(try layout.adjusted(by: proposal, ignoredBits: ignoredBits, legality: legality))
  }
}

extension SPTELayout {
  /// This layout with the software bits of a proposal, composed anew and checked as a whole.
  ///
  /// - Parameters:
  ///   - proposal: what a plugin proposes.
  ///   - ignoredBits: the bits that hardware ignores in every present entry.
  ///   - legality: as in `init`.
  /// - Throws: `LayoutError` with the rule that is broken.
  public func adjusted(
    by proposal: SPTELayoutProposal, ignoredBits: UInt64, legality: some EntryLegality
  ) throws(LayoutError) -> SPTELayout {
    let moved: KeyValuePairs<SPTEField.Role, UInt64> = [
      .mmuPresent: proposal.mmuPresent, .adKind: proposal.adKind,
      .hostWritable: proposal.hostWritable, .mmuWritable: proposal.mmuWritable,
    ]
    for (role, mask) in moved where mask & ~ignoredBits != 0 {
      throw LayoutError(
        layout: name, rule: "hardware does not ignore the bits of the field '\(role.rawValue)'",
        bits: mask & ~ignoredBits,
        owner: fields.first {
          !$0.forms.isDisjoint(with: .present) && $0.field.mask & mask & ~ignoredBits != 0
        }?.field.name ?? "hardware")
    }
    let own = fields.filter { $0.role != .encryption }
    return try SPTELayout(
      name: name, fields: proposal.applied(to: own, layout: name),
      nonPresent: proposal.nonPresent, frozen: proposal.frozen,
      physicalAddressWidth: physicalAddressWidth, mmio: mmio?.mask, relocation: relocation,
      noTrap: noTrap?.rawValue, encryption: encryption, legality: legality)
  }
}
