import MMU
import Paging
import X86NPT

extension MachineComposer {
  /// Two-dimensional paging with nested page tables.
  func nptMMU(_ parts: Parts) throws -> TDPMMU<NPTEncoder, PolicyStack> {
    let capabilities = NPTCapabilities(
      physicalAddressWidth: parts.width, form: parts.width > 48 ? .long5 : .long4,
      pages1GiB: spec.features?.contains("gbpages") ?? true,
      noExecute: spec.features?.contains("nx") ?? true)
    let layout = spec.layout
    let standard = MMIOMask.npt(physicalAddressWidth: parts.width, layout: layout)
    let encoder = try encoder("npt", parts, standard: standard) { mask throws(LayoutError) in
      try NPTEncoder(capabilities, mmio: mask, layout: layout)
    }
    return try TDPMMU(
      encoder: encoder, policy: parts.policy, memory: parts.memory,
      pool: parts.pool, nxHugePages: spec.nxHugePages)
  }
}
