import Paging
import X86
import X86Guest

extension RuleBook {
  /// What is asked of each entry when it is read: that it is there, present and well formed (SPEC
  /// W4–W6, W14).
  var entryRules: [AccessRule] {
    var rules: [AccessRule] = []
    for entry in entries { rules += self.rules(for: entry) }
    if case .tableUnreadable(let place, let name, _, let why) = outcome {
      rules.append(
        AccessRule(
          "\(name) can be read", source: Self.hierarchy, .failed, [],
          "the page that holds the \(name) (GPA \(place)) \(why)"))
    }
    return rules
  }

  private func rules(for entry: ExplainedEntry) -> [AccessRule] {
    let value = AccessRule.Value(entry.name, entry.value)
    guard entry.kind != .notPresent else {
      return [
        AccessRule(
          "P of the \(entry.name)", source: Self.hierarchy, .failed,
          [value, .init("\(entry.name).P", false)],
          "the \(entry.place) is not present; its other bits mean nothing to the processor",
          cause: .notPresent,
          repair: entry.isRegister ? [] : [.entryBit(entry: entry, bit: 0)])
      ]
    }
    let present = AccessRule(
      "P of the \(entry.name)", source: Self.hierarchy, .passed,
      [value, .init("\(entry.name).P", true)], "the \(entry.place) is present", cause: .notPresent)
    // PDPTE registers were checked when they were loaded.
    if entry.isRegister { return [present] }
    let reserved = regime.reservedBits(in: entry.value, at: entry.level)
    let isBad = entry.kind == .reserved
    let bits = (0..<64).filter { reserved >> UInt64($0) & 1 != 0 }
    let names = bits.map { "\($0)" }.joined(separator: ", ")
    let wellFormed = AccessRule(
      "Reserved bits of the \(entry.name)", source: Self.faults, isBad ? .failed : .passed,
      [value, .init("reserved bits set", reserved)],
      isBad
        ? "bits that must be 0 are set in the \(entry.place): \(names)\(hint(bits))"
        : "no bit that must be 0 is set",
      cause: .reservedBit, repair: bits.map { .entryBit(entry: entry, bit: $0) })
    return [present, wellFormed]
  }

  /// Why the usual suspects are reserved.
  private func hint(_ bits: [Int]) -> String {
    var hints: [String] = []
    if bits.contains(63), !controls.executeDisable, regime.mode != .legacy32 {
      hints.append("XD is reserved while EFER.NXE=0")
    }
    let width = situation.features.physicalAddressWidth
    if regime.mode != .legacy32, bits.contains(where: { (width..<52).contains($0) }) {
      hints.append("addresses have \(width) bits (MAXPHYADDR)")
    }
    return hints.isEmpty ? "" : " (\(hints.joined(separator: "; ")))"
  }
}
