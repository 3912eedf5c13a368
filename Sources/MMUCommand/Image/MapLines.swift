import Inspection
import Paging
import Report

extension MappedRun {
  var line: JSONLine {
    var line = JSONLine()
    line.add("start", start)
    line.add("end", rangeEnd(start, size))
    line.add("size", hex: size)
    line.add("permissions", permissions.description)
    return line
  }

  var text: String {
    "\(start)-\(rangeEnd(start, size))  \(permissions.styled)  \(sizeText(size))"
  }
}

extension MappedPage {
  var line: JSONLine {
    var line = JSONLine()
    line.add("va", start)
    line.add("pa", gpa)
    line.add("pageSize", hex: size.bytes)
    line.add("permissions", permissions.description)
    for (name, bit) in TranslationLine.leafFlags { line.add(name, leaf & bit != 0) }
    return line
  }

  var text: String {
    let flags = TranslationLine.leafFlags.filter { leaf & $0.bit != 0 }.map(\.name)
    return (["\(start) -> \(gpa)  \(size)  \(permissions.styled)"] + flags).joined(separator: " ")
  }
}

extension MapDifference {
  var line: JSONLine {
    var line = JSONLine()
    line.add("change", change.rawValue)
    line.add("start", start)
    line.add("end", rangeEnd(start, size))
    line.add("size", hex: size)
    if let before { line.add("before", before.description) } else { line.addNull("before") }
    if let after { line.add("after", after.description) } else { line.addNull("after") }
    return line
  }

  var text: String {
    let rights = [before, after].map { $0?.description ?? "none" }.joined(separator: " -> ")
    return "\(change.rawValue)  \(start)-\(rangeEnd(start, size))  \(rights)  \(sizeText(size))"
  }
}

extension Permissions {
  /// The four characters; what may be written and executed stands out.
  fileprivate var styled: String {
    Terminal.style(description, isSuperset(of: [.write, .execute]) ? .bad : nil)
  }
}

/// The first address after a range, also where that is 2^64.
private func rangeEnd(_ start: GVA, _ size: UInt64) -> String {
  let (end, overflow) = start.rawValue.addingReportingOverflow(size)
  guard overflow else { return end.hex }
  return "0x1" + String(repeating: "0", count: 16 - end.hex.count + 2) + end.hex.dropFirst(2)
}

/// A number of bytes in the largest unit that leaves no rest.
private func sizeText(_ size: UInt64) -> String {
  let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
  let unit = min(size.trailingZeroBitCount / 10, units.count - 1)
  return "\(size >> UInt64(unit * 10)) \(units[unit])"
}
