import Paging
import X86TDX

extension Expectation {
  init(_ value: YAMLValue) throws(ScenarioError) {
    var map = try value.mapping("expectation")
    line = value.line
    ok = try map.take("ok")?.flag()
    self.value = try map.take("value")?.wideNumber()
    text = try map.take("text")?.string()
    bytes = try map.take("bytes").map { value throws(ScenarioError) in
      try PokeAction.bytes(value)
    }
    gpa = try map.take("gpa").map { value throws(ScenarioError) in GPA(try value.number()) }
    if var fault = try map.take("fault")?.mapping("fault") {
      self.fault = (
        try fault.need("vector").number(0...31), try fault.take("error")?.number() ?? 0
      )
      try fault.finish()
    }
    if var reflected = try map.take("reflected")?.mapping("reflected") {
      let cause = try reflected.need("cause").choice([
        "ept-violation": ExitCause.eptViolation, "ept-misconfiguration": .eptMisconfiguration,
        "nested-page-fault": .nestedPageFault,
      ])
      self.reflected = Reflected(
        cause: cause, information: try reflected.take("information")?.number(),
        gpa: try reflected.take("gpa")?.number(), va: try reflected.take("va")?.number())
      try reflected.finish()
    }
    if var given = try map.take("exits")?.mapping("exits") {
      var counts: [ExitCause: Int] = [:]
      for cause in ExitCause.allCases {
        counts[cause] = try given.take(cause.rawValue)?.number(0...1 << 40).asInt
      }
      try given.finish()
      exits = counts
    }
    exitsAtMost = try map.take("exits-at-most")?.number(0...1 << 40).asInt
    tlbHit = try map.take("tlb")?.choice(["hit": true, "miss": false])
    count = try map.take("count")?.number(0...1 << 40).asInt
    fetched = try map.take("fetched")?.number(0...1 << 40).asInt
    status = try map.take("status")?.choice(Status.self) { $0.name }
    if var ve = try map.take("ve")?.mapping("ve") {
      exception = (
        try ve.take("gpa")?.number(), try ve.take("gva")?.number(),
        try ve.take("qualification")?.number()
      )
      try ve.finish()
    }
    stale = try map.take("stale")?.choice(of: Stale.self)
    isMMIO = try map.take("mmio")?.flag()
    for item in try map.take("any-of")?.list() ?? [] {
      anyOf.append(try Expectation(item))
    }
    try map.finish()
  }
}
