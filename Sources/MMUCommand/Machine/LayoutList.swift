import Paging
import Report

/// All layouts that can be chosen by name, told by what differs between them.
struct LayoutList {
  /// MAXPHYADDR. **Units** bits, 32...52.
  let width: Int

  func lines(json: Bool, markdown: Bool) -> [String] {
    let rows: [Row] = EncoderName.allCases.flatMap { encoder in
      encoder.layouts.map { layout in
        do throws(LayoutError) {
          return row(encoder, layout, .success(try encoder.encoder(layout, width: width).layout))
        } catch {
          return row(encoder, layout, .failure(error))
        }
      }
    }
    if json { return rows.map(\.json.line) }
    if markdown {
      return [
        "| entries | layout | empty | MMIO value under mask | other |", "|---|---|---|---|---|",
      ]
        + rows.map { row in
          "| \(row.encoder) | `\(row.layout)` | \(row.empty) | \(row.mmio) | \(row.other) |"
        }
    }
    return rows.map { row in
      let head = "\(row.encoder) \(row.layout)".padded(to: 15) + " "
      return head + [row.empty, row.mmio, row.other].filter { !$0.isEmpty }.joined(separator: "; ")
    }
  }

  private struct Row {
    var encoder, layout: String
    var empty = ""
    var mmio = ""
    var other = ""
    var json = JSONLine()
  }

  private func row(
    _ encoder: EncoderName, _ name: NamedLayout, _ result: Result<SPTELayout, LayoutError>
  ) -> Row {
    var row = Row(encoder: encoder.rawValue, layout: name.rawValue)
    row.json.add("encoder", row.encoder)
    row.json.add("layout", row.layout)
    let layout: SPTELayout
    switch result {
    case .success(let composed): layout = composed
    case .failure(let error):
      row.other = "refused: \(error)"
      row.json.add("refused", "\(error)")
      return row
    }
    row.empty = "empty \(layout.nonPresent)"
    row.json.add("nonPresent", hex: layout.nonPresent.rawValue)
    row.json.add("frozen", hex: layout.frozen.rawValue)
    if let noTrap = layout.noTrap {
      row.empty += ", the guest's own \(noTrap)"
      row.json.add("noTrap", hex: noTrap.rawValue)
    }
    if layout.masks.encryption != 0 {
      row.other = "encrypted by \(SPTE(layout.encryptionValue))"
      row.json.add("encryption", hex: layout.encryptionValue)
    }
    guard let mmio = layout.mmio else {
      row.mmio = "MMIO is not cached"
      return row
    }
    row.mmio = "MMIO \(SPTE(mmio.mask.value)) under \(SPTE(mmio.mask.mask))"
    if mmio.mask.accessMask != 0 { row.mmio += ", access \(SPTE(mmio.mask.accessMask))" }
    row.mmio += mmio.generationCount == 1 ? ", no generation" : ""
    row.json.add("value", hex: mmio.mask.value)
    row.json.add("mask", hex: mmio.mask.mask)
    row.json.add("access", hex: mmio.mask.accessMask)
    return row
  }
}
