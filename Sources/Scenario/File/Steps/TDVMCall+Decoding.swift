import Paging
import X86TDX

extension TDVMCall {
  /// The functions of a `vmcall` step.
  static let functions = ["request-mmio", "map-gpa", "registers"]

  /// - Parameter function: one of `functions`; what the host would refuse is not refused here.
  init(_ function: String, _ body: YAMLValue) throws(ScenarioError) {
    var map = try body.mapping("vmcall-\(function)")
    switch function {
    case "request-mmio":
      let isWrite = try map.need("direction").choice(["read": false, "write": true])
      self = .requestMMIO(
        size: try map.take("size")?.number() ?? 8, direction: isWrite ? 1 : 0,
        address: GPA(try map.need("gpa").number()),
        value: isWrite ? try map.need("value").number() : 0)
    case "map-gpa":
      self = .mapGPA(
        start: GPA(try map.need("gpa").number()), byteCount: try map.need("size").number())
    default:
      self.init(
        r11: try map.need("r11").number(), r12: try map.take("r12")?.number() ?? 0,
        r13: try map.take("r13")?.number() ?? 0, r14: try map.take("r14")?.number() ?? 0,
        r15: try map.take("r15")?.number() ?? 0)
    }
    try map.finish()
  }
}
