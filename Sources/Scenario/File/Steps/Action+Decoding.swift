import Paging

extension Action {
  /// - Parameter vcpus: the vCPUs that the step may name; it is the first's by default.
  init(_ name: ActionName, _ body: YAMLValue, vcpus: VCPURange) throws(ScenarioError) {
    switch name {
    case .read: self = .access(try AccessAction(.read, body, vcpus: vcpus))
    case .write: self = .access(try AccessAction(.write, body, vcpus: vcpus))
    case .fetch: self = .access(try AccessAction(.fetch, body, vcpus: vcpus))
    case .map: self = .map(try MapAction(body, vcpus: vcpus))
    case .poke: self = .poke(try PokeAction(body))
    case .invalidatePage:
      var map = try body.mapping("invlpg")
      let va = GVA(try map.need("va").number())
      self = .invalidatePage(va, vcpu: try map.vcpu(vcpus))
      try map.finish()
    case .setRegister:
      var map = try body.mapping("set-register")
      let vcpu = try map.vcpu(vcpus)
      let (register, value) = try map.needOne(
        of: GuestRegister.allCases.map(\.rawValue), "a register")
      try map.finish()
      guard let register = GuestRegister(rawValue: register) else {
        throw body.error("no register '\(register)'")
      }
      self = .setRegister(register, try value.number(register.range), vcpu: vcpu)
    case .repeated: self = .repeated(try RepeatAction(body, vcpus: vcpus))
    case .memslot: self = .memslot(try MemslotAction(body))
    case .parallel: self = .parallel(try ParallelAction(body, vcpus: vcpus))
    case .replay: self = .replay(try ReplayAction(body))
    case .audit:
      try body.mapping("audit").finish()
      self = .audit
    case .nestedMap, .nestedEnter, .invept, .invvpid:
      self = .nesting(try NestingAction(name, body, vcpus: vcpus))
    case .dirtyLog, .age, .hostUnmap, .nxRecovery:
      self = .maintenance(try MaintenanceAction(name, body))
    case .systemManagement:
      var map = try body.mapping("smm")
      let vcpu = try map.outerVCPU(vcpus)
      self = .systemManagement(enter: try map.need("enter").flag(), vcpu: vcpu)
      try map.finish()
    case .fetchPages:
      var map = try body.mapping("fetch-pages")
      self = .fetchPages(try map.need("count").number(1...1 << 28).asInt)
      try map.finish()
    case .snapshot: self = .snapshot(try body.snapshotName())
    case .restore: self = .restore(try body.snapshotName())
    case .convert, .accept, .vmcall, .tdx:
      self = .privateMemory(try PrivateMemoryAction(name, body, vcpus: vcpus))
    }
  }
}

extension YAMLValue {
  /// The name of a snapshot.
  func snapshotName() throws(ScenarioError) -> String {
    let name = try string()
    guard (1...64).contains(name.utf8.count) else {
      throw error("the name of a snapshot has 1 to 64 bytes")
    }
    return name
  }
}
