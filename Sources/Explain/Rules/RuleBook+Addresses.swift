import Paging
import X86
import X86Guest

extension RuleBook {
  /// What is asked of the address before any walk (SPEC W1, W13, W20).
  var addressRules: [AccessRule] { isLong ? [maskingRule, separationRule, canonicalRule] : [wrap] }

  private var wrap: AccessRule {
    AccessRule(
      "Address width", source: Self.modes, .passed, [.init("address", situation.address.rawValue)],
      linear == situation.address
        ? "32-bit modes translate 32 bits, and the address has no more"
        : "32-bit modes translate bits 31:0 alone: \(linear)")
  }

  private var maskingRule: AccessRule {
    let name = "Linear-address masking (LAM)"
    guard linear != situation.address else {
      return Self.notAsked(name, source: Self.masking, "no bit of the address is masked")
    }
    return AccessRule(
      name, source: Self.masking, .passed,
      [
        .init("CR3.LAM_U57", situation.registers.cr3 >> 61 & 1),
        .init("CR3.LAM_U48", situation.registers.cr3 >> 62 & 1),
        .init("CR4.LAM_SUP", situation.registers.cr4.contains(.supervisorLinearAddressMasking)),
      ], "the tag is ignored: \(linear) is translated")
  }

  private var separationRule: AccessRule {
    let name = "Linear-address space separation (LASS)"
    let isOn =
      situation.features.lass
      && situation.registers.cr4.contains(.linearAddressSpaceSeparation)
    guard isOn else { return Self.notAsked(name, source: Self.separation, "CR4.LASS is off") }
    let isUpper = linear.rawValue >> 63 == 1
    let values: [AccessRule.Value] = [
      .init("address bit 63", isUpper), .init("CR4.LASS", true), .init("CR4.SMAP", controls.smap),
      .init("RFLAGS.AC", access.alignmentCheck),
    ]
    func rule(_ verdict: AccessRule.Verdict, _ words: String) -> AccessRule {
      AccessRule(
        name, source: Self.separation, verdict, values, words, cause: .forbiddenAddress,
        repair: [.registerBit(.lass)])
    }
    if access.isUser {
      return isUpper
        ? rule(.failed, "user mode may not use the upper half of the address space")
        : rule(.passed, "user mode uses its own, lower half")
    }
    if isUpper { return rule(.passed, "supervisor mode uses its own, upper half") }
    if access.kind == .fetch {
      return rule(.failed, "supervisor mode may not fetch from the lower half")
    }
    guard controls.smap else {
      return rule(.passed, "supervisor data in the lower half is looked at with CR4.SMAP=1 alone")
    }
    if access.isImplicit {
      return rule(.failed, "an implicit supervisor access may not use the lower half")
    }
    return access.alignmentCheck
      ? rule(.passed, "RFLAGS.AC=1 lets supervisor data use the lower half")
      : rule(.failed, "supervisor data may not use the lower half while RFLAGS.AC=0")
  }

  private var canonicalRule: AccessRule {
    let width = linearWidth
    let extended = signExtended(linear)
    let isCanonical = extended == linear
    // Masking by LAM_U48 may undo the extension to 57 bits; then the masked address is extended.
    let masked = regime.linearAddress(of: extended, for: access)
    let meant = masked == extended ? extended : signExtended(masked)
    let isUpper = extended.rawValue >> 63 == 1
    return AccessRule(
      "Canonical address", source: Self.canonical, isCanonical ? .passed : .failed,
      [.init("address", linear.rawValue)],
      isCanonical
        ? "bits 63:\(width) equal bit \(width - 1)"
        : "bits 63:\(width) must equal bit \(width - 1), which is \(isUpper ? 1 : 0)",
      cause: .nonCanonical, repair: [.address(meant)])
  }

  private func signExtended(_ address: GVA) -> GVA {
    let shift = Int64(64 - linearWidth)
    let shifted = Int64(bitPattern: address.rawValue) << shift
    return GVA(UInt64(bitPattern: shifted >> shift))
  }
}
