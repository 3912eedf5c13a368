import Paging

extension MemslotAction {
  init(_ body: YAMLValue) throws(ScenarioError) {
    var map = try body.mapping("memslot")
    let (name, value) = try map.needOne(of: ["add", "remove", "move", "flags"], "a change")
    try map.finish()
    if name == "add" {
      let region = try MachineSpec.Region(value)
      guard !region.isSystemManagement else {
        throw value.error("a slot that is added is seen in every mode")
      }
      switch region.content {
      case .ram, .none: self = .add(region)
      case .image, .device, .pluginDevice:
        throw value.error("a slot that is added holds ram or none")
      }
      return
    }
    var change = try value.mapping("memslot-\(name)")
    let gpa = try change.page("gpa")
    switch name {
    case "remove": self = .remove(gpa)
    case "move": self = .move(gpa, to: try change.page("to"))
    default: self = .flags(gpa, isReadOnly: try change.need("readonly").flag())
    }
    try change.finish()
  }
}

extension YAMLMapping {
  /// The address of a page.
  mutating func page(_ key: String) throws(ScenarioError) -> GPA {
    try need(key).page(key)
  }
}

extension YAMLValue {
  /// The address of a page.
  func page(_ name: String = "the address") throws(ScenarioError) -> GPA {
    let address = GPA(try number(0...(1 << 52) - 4096))
    guard address.offset(in: .size4KiB) == 0 else {
      throw error("\(name) is a multiple of 4 KiB")
    }
    return address
  }
}

extension ParallelAction {
  /// The most steps of one vCPU.
  private static var largestStepCount: Int { 100_000 }

  init(_ body: YAMLValue, vcpus: VCPURange) throws(ScenarioError) {
    var lanes: [Lane] = []
    for item in try body.list() {
      var map = try item.mapping("lane")
      let vcpu = try map.vcpu(vcpus)
      guard !lanes.contains(where: { $0.vcpu == vcpu }) else {
        throw item.error("vCPU \(vcpu) has a lane already")
      }
      var actions: [Action] = []
      for step in try map.need("steps").list() {
        guard actions.count < Self.largestStepCount else {
          throw step.error("more than \(Self.largestStepCount) steps")
        }
        var inner = try step.mapping("lane-step")
        let (name, value) = try inner.needOne(
          of: ActionName.laneCases.map(\.rawValue), "a step of a lane")
        try inner.finish()
        guard let name = ActionName(rawValue: name) else { throw step.error("no such step") }
        actions.append(try Action(name, value, vcpus: VCPURange(only: vcpu)))
      }
      try map.finish()
      lanes.append(Lane(vcpu: vcpu, actions: actions))
    }
    guard !lanes.isEmpty else { throw body.error("a list of at least one lane is expected here") }
    self.init(lanes: lanes)
  }
}

extension ReplayAction {
  init(_ body: YAMLValue) throws(ScenarioError) {
    line = body.line
    var map = try body.mapping("replay")
    path = try map.need("trace").string()
    try map.finish()
  }
}
