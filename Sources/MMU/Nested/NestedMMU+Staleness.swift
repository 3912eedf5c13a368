public import Paging

extension NestedMMU {
  /// Those of the hypervisor.
  public static var followsGuestTables: Bool { true }

  /// As the hypervisor's tables lead there; without any an address is the memslots' own.
  public func place(
    of gpa: GPA, gva: GVA, on cpu: CPU, noting reading: TableReading
  ) -> GuestPlace? {
    guard let second = cpu.guest?.tables else { return memory.place(of: gpa, in: .normal) }
    let view = ReadingMemory(
      memory.host.view, marks: second.format.markBits, isSecondLevel: true, reading
    ) { [memory] in memory.place(of: $0, in: .normal) }
    let access = second.format.finalAccess(.read, isUser: false, for: gva)
    guard case .success(let found) = second.translate(gpa, for: access, in: view, Probe()) else {
      return nil
    }
    var place = memory.place(of: found.address, in: .normal)
    place.permissions = second.permissions(of: found.rights).union(.user)
    return place
  }

  /// What our second level says of the guest physical address of whoever runs.
  public func backing<Runner: TranslationRegime>(
    of gva: GVA, at gpa: GPA?, for access: Runner.Access, by runner: Runner, on cpu: inout CPU
  ) -> HostBacking where Runner.Input == GuestVirtual, Runner.Access: MemoryAccess {
    guard let gpa else { return .unknown }
    return tables.locked(&cpu, NoObserver()) { cpu in
      guard let hardware = cpu.hardware else { return .unknown }
      let final = hardware.format.finalAccess(access.kind, isUser: access.isUser, for: gva)
      var steps = Recording(Probe())
      guard case .success(let found) = hardware.translate(gpa, for: final, in: tables.host, &steps)
      else {
        // Ageing takes nothing away that a TLB may hold.
        let isAged = steps.steps.last.map { encoder.isAccessTracked(SPTE($0.entry)) } ?? false
        return isAged ? .unknown : .nothing
      }
      return .page(
        found.address.roundedDown(to: .size4KiB), hardware.permissions(of: found.rights),
        memoryType: found.leaf & encoder.layout.masks.memoryType)
    }
  }
}
