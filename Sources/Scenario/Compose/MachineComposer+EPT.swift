import MMU
import Paging
import X86EPT

extension MachineComposer {
  /// Two-dimensional paging with extended page tables.
  func eptMMU(_ parts: Parts) throws -> TDPMMU<EPTEncoder, PolicyStack> {
    var areas: [HPA] = []
    for area in spec.exceptionAreas {
      guard let hpa = parts.memory.hpa(of: area) else {
        throw error("no memory holds the ve-area at \(area)", line: spec.line)
      }
      areas.append(hpa)
    }
    return try TDPMMU(
      encoder: eptEncoder(parts), policy: parts.policy, memory: parts.memory, pool: parts.pool,
      exceptionAreas: areas, nxHugePages: spec.nxHugePages)
  }

  /// The same, for a hypervisor whose guest has extended page tables too.
  func eptNestedMMU(_ parts: Parts) throws -> NestedMMU<EPTEncoder, PolicyStack> {
    try NestedMMU(
      encoder: eptEncoder(parts), policy: parts.policy, memory: parts.memory, pool: parts.pool)
  }

  private func eptEncoder(_ parts: Parts) throws -> EPTEncoder {
    let layout = spec.layout
    let capabilities = EPTCapabilities(
      physicalAddressWidth: parts.width, levels: parts.width > 48 ? 5 : 4,
      accessedDirty: spec.features?.contains("ad") ?? true,
      modeBasedExecution: layout == .modeBased)
    return try encoder("ept", parts, standard: .ept(layout)) { mask throws(LayoutError) in
      try EPTEncoder(capabilities, mmio: mask, layout: layout)
    }
  }
}
