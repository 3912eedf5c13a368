public import Paging

extension NestedMMU {
  /// The hardware's walk of whoever runs: its own tables, each entry of which is found through our
  /// second level, and the page that they lead to.
  public func walk<Runner: TranslationRegime>(
    _ gva: GVA, for access: Runner.Access, by runner: Runner, on cpu: inout CPU
  ) -> Result<HardwareTranslation<Runner.Rights>, HardwareFailure<Runner.Fault, Exit>>
  where Runner.Input == GuestVirtual, Runner.Access: MemoryAccess {
    prepare(&cpu)
    return tables.locked(&cpu, NoObserver()) { cpu in
      guard let hardware = cpu.hardware else { return .failure(.exit(rootless(gva, access.kind))) }
      let memory = NestedMemory(second: hardware, host: tables.host, gva: gva)
      let found: Translation<GuestPhysical, Runner.Rights>
      switch runner.translate(gva, for: access, in: memory, Commit()) {
      case .success(let translation): found = translation
      case .failure(.fault(let fault)): return .failure(.guest(fault))
      case .failure(.contended): return .failure(.contended)
      case .failure(.unreadable(let failure, _, _)): return .failure(Self.failure(failure))
      }
      let isUser = runner.permissions(of: found.rights).contains(.user)
      let final = hardware.format.finalAccess(access.kind, isUser: isUser, for: gva)
      var last = LastEntry()
      switch hardware.translate(found.address, for: final, in: tables.host, &last) {
      case .success(let page):
        return .success(
          HardwareTranslation(
            hpa: page.address, gpa: tables.gpa(of: found.address, by: last.address),
            rights: found.rights, tableRights: found.tableRights, leaf: found.leaf,
            hostPermissions: hardware.permissions(of: page.rights),
            isDirty: access.kind == .write, guestPageSize: found.pageSize))
      case .failure(let failure): return .failure(Self.failure(failure))
      }
    }
  }

  /// The hardware's walk of the second level, for an address that software walked to.
  public func walk(
    _ gpa: GPA, _ kind: AccessKind, isUser: Bool, for gva: GVA, on cpu: inout CPU
  ) -> Result<HPA?, HardwareFailure<Never, Exit>> {
    prepare(&cpu)
    return tables.locked(&cpu, NoObserver()) { cpu in
      guard let hardware = cpu.hardware else { return .failure(.exit(rootless(gva, kind))) }
      let access = hardware.format.finalAccess(kind, isUser: isUser, for: gva)
      return hardware.translate(gpa, for: access, in: tables.host, Commit())
        .map(\.address).mapError { Self.failure($0) }
    }
  }

  private func prepare(_ cpu: inout CPU) {
    if cpu.guest != nil { return }
    tables.guestChanged(hypervisor, dropping: .nothing, on: &cpu, NoObserver())
  }

  /// The exit of a vCPU for whose root no page was left: the handler tries again, or says so.
  private func rootless(_ gva: GVA, _ kind: AccessKind) -> Exit {
    hypervisor.faultForUnreadableTable(
      GPA(0), for: encoder.format.finalAccess(kind, isUser: false, for: gva),
      at: encoder.rootLevel)
  }

  private static func failure<GuestFault: Error>(
    _ failure: WalkFailure<Exit, HostView.Failure>
  ) -> HardwareFailure<GuestFault, Exit> {
    switch failure {
    case .fault(let exit): .exit(exit)
    case .unreadable(.outside(let hpa), _, _): .outside(hpa)
    case .unreadable(.unavailable, _, _), .contended: .contended
    }
  }
}
