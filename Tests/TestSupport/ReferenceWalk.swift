/// The x86 walk written down rule by rule from the manual and SPEC W1–W20, slow and literal.
///
/// It shares nothing with the sources: dictionaries, whole numbers, one function a rule.
///
/// **Source** Intel SDM Vol. 3A, "Paging": "Hierarchical Paging Structures", "32-Bit Paging", "PAE
/// Paging", "4-Level Paging and 5-Level Paging", "Access Rights", "Page-Fault Exceptions",
/// "Accessed and Dirty Flags"; AMD APM Vol. 2, "Page Translation and Protection".
package struct ReferenceWalk {
  package let machine: ReferenceMachine
  package let memory: ReferenceMemory
  package let access: ReferenceAccess
  /// Whether the rights can refuse the access.
  package let judges: Bool
  /// Whether A and D are set.
  package let marks: Bool

  package init(
    _ machine: ReferenceMachine, _ memory: ReferenceMemory, _ access: ReferenceAccess,
    judges: Bool, marks: Bool
  ) {
    self.machine = machine
    self.memory = memory
    self.access = access
    self.judges = judges
    self.marks = marks
  }

  /// One entry on the way, the root's first.
  private struct Step {
    var address: UInt64
    var value: UInt64
    var level: Int
  }

  /// Translates; the second value holds the entries that change, by address.
  package func translate(_ pointer: UInt64) -> (ReferenceOutcome, [UInt64: UInt64]) {
    if machine.mode == .none { return (unpaged(pointer), [:]) }
    if isLASSViolation(pointer) { return (badAddress("forbidden address"), [:]) }
    let address = linearAddress(of: pointer)
    if !isCanonical(address) { return (badAddress("non-canonical"), [:]) }

    var steps: [Step] = []
    var table: UInt64
    if machine.mode == .pae {
      let register = machine.pdptes[Int(address >> 30 & 3)]
      if bit(register, 0) == 0 { return (pageFault("not present", 3, address, []), [:]) }
      table = bits(register, machine.width - 1, 12) << 12
    } else {
      table = rootTable()
    }
    var level = firstLevel()
    while true {
      let size: UInt64 = machine.mode == .legacy32 ? 4 : 8
      let place = table + index(address, level) * size
      guard let value = memory.entry(at: place) else {
        return (.unreadable(entry: place, level: level), [:])
      }
      if bit(value, 0) == 0 { return (pageFault("not present", level, address, steps), [:]) }
      if hasReservedBit(value, level) {
        return (pageFault("reserved bit", level, address, steps), [:])
      }
      steps.append(Step(address: place, value: value, level: level))
      if isLeaf(value, level) { break }
      table =
        machine.mode == .legacy32
        ? bits(value, 31, 12) << 12 : bits(value, machine.width - 1, 12) << 12
      level -= 1
    }
    if judges, !isAllowed(steps) { return (pageFault("permission", level, address, steps), [:]) }
    let changes = marks ? accessedAndDirty(steps) : [:]
    return (translation(address, steps, changes), changes)
  }

  // MARK: Addresses

  private func unpaged(_ pointer: UInt64) -> ReferenceOutcome {
    .translated(
      ReferenceTranslation(
        pa: pointer % 0x1_0000_0000, pageSize: 4096, level: 1, writable: true, user: true,
        executable: true, tablesWritable: true, tablesUser: true, tablesExecutable: true, leaf: 0))
  }

  /// "Linear-Address Space Separation".
  private func isLASSViolation(_ pointer: UInt64) -> Bool {
    if !machine.lass { return false }
    if access.isUserMode { return bit(pointer, 63) == 1 }
    if bit(pointer, 63) == 1 { return false }
    if access.kind == .fetch { return true }
    // Supervisor data: only with SMAP on, and then AC=0 or an implicit access.
    return machine.smap && (!access.ac || access.implicit)
  }

  /// "Linear-Address Masking": the bits between the width and 63 become copies of the highest kept.
  private func linearAddress(of pointer: UInt64) -> UInt64 {
    if !machine.isLong { return pointer % 0x1_0000_0000 }
    if access.kind == .fetch { return pointer }
    if bit(pointer, 63) == 0 {
      if machine.lamUser57 { return masked(pointer, from: 57) }
      if machine.lamUser48 { return masked(pointer, from: 48) }
      return pointer
    }
    if machine.lamSupervisor {
      return masked(pointer, from: machine.mode == .long5 ? 57 : 48)
    }
    return pointer
  }

  private func masked(_ pointer: UInt64, from first: Int) -> UInt64 {
    var result = pointer
    for number in first...62 {
      result &= ~(1 << UInt64(number))
      if bit(pointer, first - 1) == 1 { result |= 1 << UInt64(number) }
    }
    return result
  }

  private func isCanonical(_ address: UInt64) -> Bool {
    if !machine.isLong { return true }
    let top = machine.mode == .long5 ? 56 : 47
    for number in top...63 where bit(address, number) != bit(address, top) { return false }
    return true
  }

  // MARK: Geometry

  private func rootTable() -> UInt64 {
    machine.mode == .legacy32
      ? bits(machine.cr3, 31, 12) << 12 : bits(machine.cr3, machine.width - 1, 12) << 12
  }

  private func firstLevel() -> Int {
    switch machine.mode {
    case .long5: 5
    case .long4: 4
    default: 2
    }
  }

  private func index(_ address: UInt64, _ level: Int) -> UInt64 {
    if machine.mode == .legacy32 {
      return level == 2 ? bits(address, 31, 22) : bits(address, 21, 12)
    }
    switch level {
    case 5: return bits(address, 56, 48)
    case 4: return bits(address, 47, 39)
    case 3: return bits(address, 38, 30)
    case 2: return bits(address, 29, 21)
    default: return bits(address, 20, 12)
    }
  }

  private func isLeaf(_ value: UInt64, _ level: Int) -> Bool {
    if level == 1 { return true }
    if level > 3 || bit(value, 7) == 0 { return false }
    return machine.mode == .legacy32 ? machine.pse : true
  }

  // MARK: Reserved bits

  private func hasReservedBit(_ value: UInt64, _ level: Int) -> Bool {
    for number in 0...63 where bit(value, number) == 1 {
      if isReserved(number, value, level) { return true }
    }
    return false
  }

  private func isReserved(_ number: Int, _ value: UInt64, _ level: Int) -> Bool {
    if machine.mode == .legacy32 { return isReservedLegacy(number, value, level) }
    if number == 63 { return !machine.nxe }
    if number >= machine.width {
      return machine.mode == .pae ? number <= 62 : number <= 51
    }
    switch level {
    case 4, 5: return number == 7 || (number == 8 && machine.isAMD)
    case 3:
      if bit(value, 7) == 0 { return false }
      if !machine.hasGigabytePages { return number == 7 }
      return number >= 13 && number <= 29
    case 2: return bit(value, 7) == 1 && number >= 13 && number <= 20
    default: return false
    }
  }

  private func isReservedLegacy(_ number: Int, _ value: UInt64, _ level: Int) -> Bool {
    if !isLeaf(value, level) || level == 1 { return false }
    // 4 MiB pages: 13 is the lowest address bit above 4 GiB, 12 is PAT.
    let extra = machine.hasPSE36 ? min(machine.width, 40) - 32 : 0
    return number >= 13 + extra && number <= 21
  }

  // MARK: Rights

  private func allHave(_ number: Int, _ steps: [Step]) -> Bool {
    steps.allSatisfy { bit($0.value, number) == 1 }
  }

  private func noneExecuteDisabled(_ steps: [Step]) -> Bool {
    machine.mode == .legacy32 || steps.allSatisfy { bit($0.value, 63) == 0 }
  }

  private func isAllowed(_ steps: [Step]) -> Bool {
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

  private func isShadowStackAllowed(_ steps: [Step], _ isUserAddress: Bool) -> Bool {
    guard machine.cet, let leaf = steps.last else { return false }
    let isShadowStackAddress =
      bit(leaf.value, 1) == 0 && bit(leaf.value, 6) == 1 && allHave(1, steps.dropLast())
    return isShadowStackAddress && isUserAddress == access.isUserMode && !keyRefuses(steps)
  }

  private func allHave(_ number: Int, _ steps: ArraySlice<Step>) -> Bool {
    allHave(number, Array(steps))
  }

  /// "Protection Keys".
  private func keyRefuses(_ steps: [Step]) -> Bool {
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

  // MARK: Results

  private func badAddress(_ cause: String) -> ReferenceOutcome {
    .badAddress(vector: access.stack ? 12 : 13, cause: cause)
  }

  private func pageFault(
    _ cause: String, _ level: Int, _ address: UInt64, _ steps: [Step]
  ) -> ReferenceOutcome {
    var error: UInt32 = 0
    if cause != "not present" { error += 1 }
    if access.kind == .write { error += 2 }
    if access.isUserMode { error += 4 }
    if cause == "reserved bit" { error += 8 }
    if access.kind == .fetch && ((machine.nxe && machine.pae) || machine.smep) { error += 16 }
    if cause == "permission" && keyRefuses(steps) { error += 32 }
    if access.shadowStack { error += 64 }
    return .pageFault(error: error, level: level, cause: cause, cr2: address)
  }

  /// "Accessed and Dirty Flags": only what is clear is set, and only where the page can be written.
  private func accessedAndDirty(_ steps: [Step]) -> [UInt64: UInt64] {
    var changes: [UInt64: UInt64] = [:]
    for (number, step) in steps.enumerated() {
      if memory.readOnlyFrames.contains(step.address / 4096) { continue }
      var value = changes[step.address] ?? step.value
      value |= 1 << 5
      if number == steps.count - 1 && access.kind == .write { value |= 1 << 6 }
      if value != step.value { changes[step.address] = value }
    }
    return changes
  }

  private func translation(
    _ address: UInt64, _ steps: [Step], _ changes: [UInt64: UInt64]
  ) -> ReferenceOutcome {
    guard let leaf = steps.last else { preconditionFailure("a walk without a leaf") }
    let above = Array(steps.dropLast())
    let base: UInt64
    let size: UInt64
    if machine.mode == .legacy32 && leaf.level == 2 {
      size = 4 << 20
      base = bits(leaf.value, 31, 22) << 22 | bits(leaf.value, 20, 13) << 32
    } else {
      size = [1: 4096, 2: 2 << 20, 3: 1 << 30][leaf.level] ?? 0
      let top = machine.mode == .legacy32 ? 31 : machine.width - 1
      base = bits(leaf.value, top, 0) / size * size
    }
    return .translated(
      ReferenceTranslation(
        pa: base + address % size, pageSize: size, level: leaf.level, writable: allHave(1, steps),
        user: allHave(2, steps), executable: noneExecuteDisabled(steps),
        tablesWritable: allHave(1, above), tablesUser: allHave(2, above),
        tablesExecutable: noneExecuteDisabled(above), leaf: changes[leaf.address] ?? leaf.value))
  }

  private func bit(_ value: UInt64, _ number: Int) -> Int { Int(value >> UInt64(number) & 1) }

  /// Bits high:low of a number.
  private func bits(_ value: UInt64, _ high: Int, _ low: Int) -> UInt64 {
    (value >> UInt64(low)) % (1 << UInt64(high - low + 1))
  }
}
