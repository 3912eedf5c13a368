public import Paging

extension EPTAccess: MemoryAccess {
  /// EPT does not tell.
  @inlinable
  public var isUser: Bool { false }
}

extension EPTFormat: NestedFormat {
  /// Whether two formats read every entry alike.
  public static func == (left: EPTFormat, right: EPTFormat) -> Bool {
    left.capabilities == right.capabilities
  }

  /// Hashes what `==` compares.
  public func hash(into hasher: inout Hasher) { hasher.combine(capabilities) }

  /// 4 or 5.
  public var rootLevel: Level { Level(capabilities.levels) }

  /// A (8) and D (9) where EPTP bit 6 is set.
  public var markBits: UInt64 { capabilities.accessedDirty ? 0x300 : 0 }

  /// No longer walks, no wider addresses, no flag or capability that the host lacks; mode-based
  /// execution is nobody's, since rights are folded without it.
  public func isContained(in host: EPTFormat) -> Bool {
    let (mine, theirs) = (capabilities, host.capabilities)
    return mine.levels <= theirs.levels && !mine.modeBasedExecution && !theirs.modeBasedExecution
      && mine.physicalAddressWidth <= theirs.physicalAddressWidth
      && (!mine.executeOnly || theirs.executeOnly) && (!mine.accessedDirty || theirs.accessedDirty)
  }

  /// The walk length and the A/D flag are the EPTP's, as far as the processor has them.
  public func selected(by eptp: UInt64) -> (format: EPTFormat, root: TableRoot)? {
    var selected = capabilities
    let levels = Int(eptp >> 3 & 7) + 1
    let wantsMarks = eptp & 1 << 6 != 0
    guard levels == 4 || levels == capabilities.levels,
      !wantsMarks || capabilities.accessedDirty
    else { return nil }
    selected.levels = levels
    selected.accessedDirty = wantsMarks
    let format = EPTFormat(selected)
    return format.root(eptp: eptp).map { (format, $0) }
  }

  /// With A and D on, every access to a guest's table counts as a write (SPEC E14): so the flag is the
  /// guest's, or exits would tell writes where it expects reads.
  public func walking(like guest: EPTFormat) -> EPTFormat {
    var walking = capabilities
    walking.accessedDirty = capabilities.accessedDirty && guest.capabilities.accessedDirty
    return EPTFormat(walking)
  }

  /// Without A and D every entry counts as used and written.
  public func read(_ entry: UInt64, at level: Level) -> GuestEntry {
    var result = GuestEntry(entry, at: level, in: self)
    result.isAccessed = !capabilities.accessedDirty || entry & 0x100 != 0
    result.isDirty = !capabilities.accessedDirty || entry & 0x200 != 0
    return result
  }

  /// As the qualification tells it; a misconfiguration has none.
  public func access(of exit: EPTExit) -> EPTAccess? {
    guard case .violation(let violation) = exit else { return nil }
    return violation.qualification.access(gva: violation.gva)
  }

  /// A violation with its qualification, or a misconfiguration with the address alone.
  public static func reflection(of exit: EPTExit) -> ReflectedExit {
    switch exit {
    case .violation(let violation), .virtualizationException(let violation):
      ReflectedExit(
        cause: .eptViolation, information: violation.qualification.rawValue, gpa: violation.gpa,
        gva: violation.gva, isConvertible: violation.isConvertible)
    case .misconfiguration(let misconfiguration):
      ReflectedExit(cause: exit.cause, information: 0, gpa: misconfiguration.gpa, gva: nil)
    }
  }
}
