/// One step of a scenario.
public struct Step: Sendable {
  /// The line of the step.
  public var line: Int
  /// What is done.
  public var action: Action
  /// What must come of it.
  public var expectation: Expectation?
}

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
