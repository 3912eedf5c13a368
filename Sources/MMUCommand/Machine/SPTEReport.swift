import Paging
import Report

/// One of our own entries, told by its encoder's layout.
struct SPTEReport {
  /// What hardware calls an entry of the level.
  let name: String
  /// `mmio`, `frozen`, `not-present`, `guest-not-present`, `reserved`, `table` or `page`.
  let kind: String
  /// Its fields.
  let report: EntryReport
  /// What an MMIO entry keeps.
  let mmio: (gfn: GFN, access: UInt64, generation: UInt64)?

  init<Encoder: SPTEEncoder>(_ spte: SPTE, at level: Level, _ encoder: Encoder)
  where Encoder.Format.Entry == UInt64 {
    let layout = encoder.layout
    name = encoder.format.entryName(at: level)
    let hardware = encoder.format.kind(of: spte.rawValue, at: level)
    let forms: SPTEField.Forms
    if let encoding = layout.mmio, encoding.matches(spte) {
      (kind, forms) = ("mmio", .mmio)
      mmio = (encoding.gfn(of: spte), encoding.access(of: spte), encoding.generation(of: spte))
    } else if layout.noTrap != nil, encoder.isVacant(spte) {
      mmio = nil
      (kind, forms) = (spte == layout.noTrap ? "guest-not-present" : "not-present", [])
    } else {
      mmio = nil
      switch hardware {
      case .notPresent: (kind, forms) = (spte == layout.frozen ? "frozen" : "not-present", [])
      case .table: (kind, forms) = ("table", .table)
      case .leaf: (kind, forms) = ("page", .leaf)
      case .reserved: (kind, forms) = ("reserved", .leaf)
      }
    }
    let fields = layout.fields.filter { !$0.forms.isDisjoint(with: forms) }.map(\.field)
    report = EntryReport(spte.rawValue, fields: fields)
  }
}
