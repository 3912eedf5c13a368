import MMU
import Paging
import X86EPT

extension MachineComposer {
  /// Two-dimensional paging with extended page tables.
  func eptMMU(_ parts: Parts) throws -> TDPMMU<EPTEncoder, PolicyStack> {
    let capabilities = EPTCapabilities(
      physicalAddressWidth: parts.width, levels: parts.width > 48 ? 5 : 4,
      accessedDirty: spec.features?.contains("ad") ?? true)
    let mask = try mmioMask("ept", parts, standard: .ept) { mask throws(LayoutError) in
      _ = try EPTEncoder(capabilities, mmio: mask)
    }
    var areas: [HPA] = []
    for area in spec.exceptionAreas {
      guard let hpa = parts.memory.hpa(of: area) else {
        throw error("no memory holds the ve-area at \(area)", line: spec.line)
      }
      areas.append(hpa)
    }
    return try TDPMMU(
      encoder: EPTEncoder(capabilities, mmio: mask), policy: parts.policy, memory: parts.memory,
      pool: parts.pool, exceptionAreas: areas, nxHugePages: spec.nxHugePages)
  }
}
