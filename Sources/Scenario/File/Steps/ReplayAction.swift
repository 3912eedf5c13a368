/// The accesses of a trace, in its order.
public struct ReplayAction: Sendable {
  /// The line of the step.
  public var line: Int
  /// The trace, relative to the scenario file.
  public var path: String
}

extension ReplayAction {
  init(_ body: YAMLValue) throws(ScenarioError) {
    line = body.line
    var map = try body.mapping("replay")
    path = try map.need("trace").string()
    try map.finish()
  }
}
