/// The layouts that are chosen whole, by name; each encoder has some of them (SPEC E7, E9, E17, E19).
public enum NamedLayout: String, Sendable, Hashable, CaseIterable {
  /// KVM's bits of today.
  case standard
  /// EPT's bit 10 is left to user execution, which ageing saves too; the MMIO generation is one bit
  /// shorter.
  case modeBased = "mbec"
  /// MMIO entries as in 2011: every high bit that can fault, and no generation, so that each change of
  /// the memslots zaps all tables.
  case mmio2011 = "2011"
  /// Empty entries as in 2008: they fault with reserved bits and exit where the guest's entry is
  /// present, and are not present, so that the guest's #PF reaches it without an exit, where that is
  /// not. No MMIO is cached.
  case trap2008 = "2008"
  /// The host's memory is encrypted (SME): a bit above the addresses says so in tables and pages, and
  /// the reserved bits of MMIO entries are those that are left.
  case encrypted = "sme"

  /// Refuses a layout that an encoder does not have.
  ///
  /// - Throws: `LayoutError` with those that it has.
  public func check(
    for encoder: String, among layouts: [NamedLayout]
  ) throws(LayoutError) {
    if layouts.contains(self) { return }
    let names = layouts.map(\.rawValue).joined(separator: ", ")
    throw LayoutError(
      layout: encoder, rule: "there is no layout '\(rawValue)' for these entries", owner: names)
  }
}
