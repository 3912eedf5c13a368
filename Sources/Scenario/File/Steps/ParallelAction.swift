/// Steps of several vCPUs at once, each on a thread of its own.
public struct ParallelAction: Sendable {
  /// What one vCPU does, one after the other.
  public struct Lane: Sendable {
    /// Which vCPU; no two lanes have the same.
    public var vcpu: Int
    /// What it does.
    public var actions: [Action]
  }

  /// The vCPUs' steps.
  public var lanes: [Lane]
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
