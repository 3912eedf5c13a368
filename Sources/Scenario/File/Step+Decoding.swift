import Paging

extension Step {
  init(_ value: YAMLValue, vcpus: VCPURange) throws(ScenarioError) {
    line = value.line
    var map = try value.mapping("step")
    expectation = try map.take("expect").map { value throws(ScenarioError) in
      try Expectation(value)
    }
    let (name, body) = try map.needOne(of: ActionName.allCases.map(\.rawValue), "a step")
    try map.finish()
    guard let name = ActionName(rawValue: name) else { throw value.error("no step '\(name)'") }
    action = try Action(name, body, vcpus: vcpus)
  }
}

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
    case .convert, .accept, .tdx:
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

extension AccessAction {
  init(_ kind: AccessKind, _ body: YAMLValue, vcpus: VCPURange) throws(ScenarioError) {
    var map = try body.mapping(kind.description)
    let va = GVA(try map.need("va").number())
    try self.init(kind, va, &map, body, vcpus: vcpus)
  }

  /// An access whose address comes from elsewhere.
  init(
    _ kind: AccessKind, _ va: GVA, _ map: inout YAMLMapping, _ body: YAMLValue, vcpus: VCPURange
  ) throws(ScenarioError) {
    self.kind = kind
    self.va = va
    let isWrite = kind == .write
    let largest = isWrite ? 16 : UInt64(Self.largestSize)
    size = try map.take("size")?.number(1...largest).asInt ?? (kind == .fetch ? 1 : 8)
    value = 0
    form = .number
    if isWrite {
      value = try map.need("value").wideNumber()
      guard size == 16 || value >> UInt128(size * 8) == 0 else {
        throw body.error("the value does not fit \(size) bytes")
      }
    } else {
      form =
        try map.take("as")?.choice(["number": Form.number, "text": .text, "bytes": .bytes])
        ?? (size > 16 ? .bytes : .number)
      if form == .number, size > 16 { throw body.error("a number has at most 16 bytes") }
    }
    isUser = try map.take("user")?.flag() ?? false
    alignmentCheck = try map.take("ac")?.flag() ?? false
    isImplicit = try map.take("implicit")?.flag() ?? false
    vcpu = try map.vcpu(vcpus)
    try map.finish()
  }
}

extension RepeatAction {
  init(_ body: YAMLValue, vcpus: VCPURange) throws(ScenarioError) {
    var map = try body.mapping("repeat")
    count = try map.need("count").number(1...Self.largestCount).asInt
    let seed = try map.take("seed")?.number() ?? 1
    pattern =
      try map.take("pattern")?.choice([
        "sequential": Pattern.sequential, "random": .random(seed: seed),
      ]) ?? .sequential
    let bounds = try map.need("range").list()
    guard bounds.count == 2 else { throw body.error("a range is two addresses: [first, end]") }
    let (low, high) = (try bounds[0].number(), try bounds[1].number())
    var inner = try map.need("access").mapping("repeated-access")
    let (name, value) = try inner.needOne(of: ["read", "write", "fetch"], "the access")
    try inner.finish()
    let kind: AccessKind = name == "read" ? .read : name == "write" ? .write : .fetch
    var parts = try value.mapping("repeated-\(name)")
    access = try AccessAction(kind, GVA(low), &parts, value, vcpus: vcpus)
    guard access.size <= 16 else { throw body.error("an access has at most 16 bytes") }
    guard low < high, high - low >= UInt64(access.size) else {
      throw body.error("the range is empty, or smaller than the access")
    }
    range = low..<high
    try map.finish()
  }
}
