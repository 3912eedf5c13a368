extension Scenario {
  /// Reads a scenario file.
  ///
  /// - Throws: `ScenarioError` with the line, what is wrong and what is allowed. Nothing is done
  ///   before the whole file has been read.
  public init(yaml bytes: [UInt8]) throws(ScenarioError) {
    var root = try YAMLDocument.read(bytes).mapping("scenario")
    _ = try root.need("scenario").choice(["1": 1])
    name = try root.take("name")?.string() ?? ""
    machine = try MachineSpec(root.need("machine"))
    plugins = []
    for item in try root.take("plugins")?.list() ?? [] { plugins.append(try PluginSpec(item)) }
    steps = []
    var cost = ScenarioCost()
    for item in try root.need("steps").list() {
      let step = try Step(item, vcpus: VCPURange(machine))
      if case .nesting = step.action, machine.nested == nil {
        throw ScenarioError(
          line: step.line, "'\(step.action.name)' needs a machine with a guest inside the guest")
      }
      if case .memslot(.add(let region)) = step.action { try region.check(behind: machine.mmu) }
      try cost.add(step)
      steps.append(step)
    }
    try root.finish()
  }
}
