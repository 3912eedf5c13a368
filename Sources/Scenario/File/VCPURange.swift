/// The vCPUs that a step may name.
struct VCPURange {
  /// Those of the guest.
  var own: Range<Int>
  /// How far behind each the vCPU of the guest inside it is; `nil` where there is none.
  var nested: Int?

  /// One vCPU alone.
  init(only vcpu: Int) { own = vcpu..<(vcpu + 1) }

  /// All of a machine.
  init(_ machine: MachineSpec) {
    own = 0..<machine.vcpuCount
    nested = machine.nested.map { _ in machine.vcpuCount }
  }
}

extension YAMLMapping {
  /// The keys `vcpu`, the first that is allowed where it is absent, and `nested`, which means the guest
  /// inside that vCPU's guest.
  ///
  /// - Returns: the machine's number of the vCPU.
  mutating func vcpu(_ allowed: VCPURange) throws(ScenarioError) -> Int {
    let vcpu = try outerVCPU(allowed)
    guard let value = take("nested"), try value.flag() else { return vcpu }
    guard let offset = allowed.nested else {
      throw value.error("no guest is inside the guest here (a machine has one by 'nested')")
    }
    return vcpu + offset
  }

  /// The key `vcpu` alone.
  mutating func outerVCPU(_ allowed: VCPURange) throws(ScenarioError) -> Int {
    let range = UInt64(allowed.own.lowerBound)...UInt64(allowed.own.upperBound - 1)
    let widest = 0...MachineSpec.largestVCPUCount - 1
    return try take("vcpu")?.number(range, widest: widest).asInt ?? allowed.own.lowerBound
  }
}
