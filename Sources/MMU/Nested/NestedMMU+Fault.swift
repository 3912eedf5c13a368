public import Paging

extension NestedMMU {
  /// Handles one exit. Where the hypervisor's tables refuse, it gets the exit; where they grant, our
  /// entry is made (SPEC F15).
  public func handle(
    _ exit: Exit, on cpu: inout CPU, _ observer: borrowing some MMUObserver
  ) -> FaultOutcome {
    let access = encoder.format.access(of: exit)
    let mildest = encoder.format.finalAccess(.read, isUser: false, for: GVA(0))
    let outcome = tables.handle(
      ShadowExit(
        address: exit.gpa, gva: exit.gva, access: access ?? mildest, isAccessKnown: access != nil,
        errorCode: 0, isMalformed: exit.isMalformed),
      on: &cpu, observer)
    // The guest's access is to another address than the entry that hardware could not use: software
    // walks for it.
    if case .perform(let gpa) = outcome, exit.isTableAccess { return .emulate(gpa) }
    return outcome
  }

  /// The memory of whoever runs, as software reads it for an access or for a tool.
  public func view(for cpu: CPU, marking: Bool, gva: GVA?) -> NestedView<Format> {
    NestedView(tables: cpu.guest?.tables, memory: memory, isMarking: marking, gva: gva)
  }

  /// Where an address of whoever runs is in the memslots, or the exit that the hypervisor gets.
  public func slotAddress(
    of gpa: GPA, for kind: AccessKind, isUser: Bool, gva: GVA, on cpu: CPU
  ) -> Result<GPA, ReflectedExit> {
    guard let tables = cpu.guest?.tables else { return .success(gpa) }
    let access = tables.format.finalAccess(kind, isUser: isUser, for: gva)
    return view(for: cpu, marking: true, gva: gva).place(of: gpa, for: access).mapError {
      $0.reflected ?? Format.reflection(of: unreadable(gpa, access, tables))
    }
  }

  private func unreadable(
    _ gpa: GPA, _ access: Format.Access, _ regime: FormatRegime<Format>
  ) -> Format.Fault {
    Guest(host: encoder.format, tables: regime)
      .faultForUnreadableTable(gpa, for: access, at: regime.format.rootLevel)
  }
}
