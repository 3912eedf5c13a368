extension ReferenceWalk {
  func allHave(_ number: Int, _ steps: [Step]) -> Bool {
    steps.allSatisfy { bit($0.value, number) == 1 }
  }

  func noneExecuteDisabled(_ steps: [Step]) -> Bool {
    machine.mode == .legacy32 || steps.allSatisfy { bit($0.value, 63) == 0 }
  }

  func isAllowed(_ steps: [Step]) -> Bool {
    let isUserAddress = allHave(2, steps)
    if access.shadowStack { return isShadowStackAllowed(steps, isUserAddress) }
    if access.isUserMode {
      if !isUserAddress { return false }
      switch access.kind {
      case .read: return !keyRefuses(steps)
      case .write: return allHave(1, steps) && !keyRefuses(steps)
      case .fetch: return noneExecuteDisabled(steps)
      }
    }
    let isSMAPSilent = !machine.smap || (access.ac && !access.implicit)
    switch access.kind {
    case .read:
      return (!isUserAddress || isSMAPSilent) && !keyRefuses(steps)
    case .write:
      if isUserAddress && !isSMAPSilent { return false }
      if machine.wp && !allHave(1, steps) { return false }
      return !keyRefuses(steps)
    case .fetch:
      if isUserAddress && machine.smep { return false }
      return noneExecuteDisabled(steps)
    }
  }

  func isShadowStackAllowed(_ steps: [Step], _ isUserAddress: Bool) -> Bool {
    guard machine.cet, let leaf = steps.last else { return false }
    let isShadowStackAddress =
      bit(leaf.value, 1) == 0 && bit(leaf.value, 6) == 1 && allHave(1, steps.dropLast())
    return isShadowStackAddress && isUserAddress == access.isUserMode && !keyRefuses(steps)
  }

  func allHave(_ number: Int, _ steps: ArraySlice<Step>) -> Bool {
    allHave(number, Array(steps))
  }

  /// "Protection Keys".
  func keyRefuses(_ steps: [Step]) -> Bool {
    guard let leaf = steps.last, access.kind != .fetch else { return false }
    let key = bits(leaf.value, 62, 59)
    if allHave(2, steps) {
      if !machine.pke { return false }
      if bit(UInt64(machine.pkru), Int(2 * key)) == 1 { return true }
      let deniesWrites = bit(UInt64(machine.pkru), Int(2 * key) + 1) == 1
      return access.kind == .write && deniesWrites && (access.isUserMode || machine.wp)
    }
    if !machine.pks { return false }
    if bit(UInt64(machine.pkrs), Int(2 * key)) == 1 { return true }
    let deniesWrites = bit(UInt64(machine.pkrs), Int(2 * key) + 1) == 1
    return access.kind == .write && deniesWrites && machine.wp
  }
}
