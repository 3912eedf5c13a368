public import Paging

/// An MMU behind which a guest can run guests of its own.
public protocol NestingMMU: AuditableMMU {
  /// Has a vCPU run a guest on the hypervisor's tables (EPTP, nested CR3), or the hypervisor itself.
  ///
  /// What was cached under a pointer stays, as entering a guest drops nothing.
  /// - Parameters:
  ///   - pointer: `nil` for the hypervisor.
  ///   - cpu: the vCPU.
  ///   - observer: who hears of what happens.
  /// - Returns: false where entering the guest would fail; the vCPU then runs what it ran.
  func select(
    _ pointer: UInt64?, on cpu: inout CPU, _ observer: borrowing some MMUObserver
  ) -> Bool

  /// Maps a range of an inner guest's memory in the hypervisor's tables, as the hypervisor would.
  ///
  /// - Parameters:
  ///   - gpa: the first address, of the inner guest.
  ///   - place: where the pages are, in the hypervisor's memory.
  ///   - length: **Units** bytes; a multiple of the page size.
  ///   - pageSize: the size of the pages.
  ///   - permissions: what the mapping grants.
  ///   - pointer: names the tables.
  ///   - takeTable: the next page for a table, which holds zeros; or `nil`.
  /// - Returns: false for a pointer with which entering a guest would fail.
  /// - Throws: `TableEditError`; nothing is changed.
  func map(
    _ gpa: GPA, to place: GPA, length: UInt64, pageSize: PageSize, permissions: Permissions,
    pointer: UInt64, takeTable: () -> GPA?
  ) throws(TableEditError) -> Bool

  /// Says where a vCPU's exits become #VE of the inner guest, as far as the hypervisor's entries and the
  /// area's busy word allow it.
  ///
  /// - Parameters:
  ///   - area: in the hypervisor's memory, 34 bytes on one page; `nil` for exits alone.
  ///   - cpu: the vCPU.
  func takeExceptions(in area: GPA?, on cpu: inout CPU)

  /// Drops what is cached of a pointer's tables, or of all: INVEPT, or an entry that asks for a flush
  /// (SVM's TLB_CONTROL).
  ///
  /// - Returns: false for a pointer with which entering a guest would fail.
  func invalidate(
    pointer: UInt64?, on cpu: inout CPU, _ observer: borrowing some MMUObserver
  ) -> Bool
}

extension NestedMMU {
  /// Takes the root that belongs to a pointer: the one in use, one of the last three, or another.
  public func select(
    _ pointer: UInt64?, on cpu: inout CPU, _ observer: borrowing some MMUObserver
  ) -> Bool {
    var guest = hypervisor
    if let pointer {
      guard let (format, root) = inner.selected(by: pointer) else { return false }
      guest = Guest(host: encoder.format, tables: FormatRegime(format, root: root))
    }
    let last = cpu.guest?.tables
    tables.guestChanged(guest, dropping: .nothing, on: &cpu, observer)
    // The simulated TLB knows no pointers, so it holds one's translations alone.
    if last?.root != guest.tables?.root || last?.format != guest.tables?.format {
      cpu.needsFlush = true
    }
    return true
  }

  /// Writes entries through the memslots, so that tables which are shadowed are followed.
  public func map(
    _ gpa: GPA, to place: GPA, length: UInt64, pageSize: PageSize, permissions: Permissions,
    pointer: UInt64, takeTable: () -> GPA?
  ) throws(TableEditError) -> Bool {
    guard let (format, root) = inner.selected(by: pointer) else { return false }
    try PageTableEditor(format, root: root).map(
      gpa, to: place, length: length, pageSize: pageSize, permissions: permissions,
      for: format.finalAccess(.read, isUser: false, for: GVA(0)), in: memory.view,
      takeTable: takeTable)
    return true
  }

  /// Brings the tables in step and empties the vCPU's TLB (SPEC W16).
  ///
  /// Those of every pointer, whichever is named: they are few, and dropping more is allowed.
  public func invalidate(
    pointer: UInt64?, on cpu: inout CPU, _ observer: borrowing some MMUObserver
  ) -> Bool {
    if let pointer, inner.selected(by: pointer) == nil { return false }
    tables.locked(&cpu, observer) { cpu in
      tables.refreshSlots()
      tables.syncAll()
      cpu.lastMMIO = nil
      cpu.needsFlush = true
    }
    return true
  }
}
