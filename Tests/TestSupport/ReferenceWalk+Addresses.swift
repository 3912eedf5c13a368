extension ReferenceWalk {
  func unpaged(_ pointer: UInt64) -> ReferenceOutcome {
    .translated(
      ReferenceTranslation(
        pa: pointer % 0x1_0000_0000, pageSize: 4096, level: 1, writable: true, user: true,
        executable: true, tablesWritable: true, tablesUser: true, tablesExecutable: true, leaf: 0))
  }

  /// "Linear-Address Space Separation".
  func isLASSViolation(_ pointer: UInt64) -> Bool {
    if !machine.lass { return false }
    if access.isUserMode { return bit(pointer, 63) == 1 }
    if bit(pointer, 63) == 1 { return false }
    if access.kind == .fetch { return true }
    // Supervisor data: only with SMAP on, and then AC=0 or an implicit access.
    return machine.smap && (!access.ac || access.implicit)
  }

  /// "Linear-Address Masking": the bits between the width and 63 become copies of the highest kept.
  func linearAddress(of pointer: UInt64) -> UInt64 {
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

  func masked(_ pointer: UInt64, from first: Int) -> UInt64 {
    var result = pointer
    for number in first...62 {
      result &= ~(1 << UInt64(number))
      if bit(pointer, first - 1) == 1 { result |= 1 << UInt64(number) }
    }
    return result
  }

  func isCanonical(_ address: UInt64) -> Bool {
    if !machine.isLong { return true }
    let top = machine.mode == .long5 ? 56 : 47
    for number in top...63 where bit(address, number) != bit(address, top) { return false }
    return true
  }
}
