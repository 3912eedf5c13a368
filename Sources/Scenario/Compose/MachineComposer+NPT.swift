import MMU
import Paging
import X86NPT

extension MachineComposer {
  /// Two-dimensional paging with nested page tables.
  func nptMMU(_ parts: Parts) throws -> TDPMMU<NPTEncoder, PolicyStack> {
    try TDPMMU(
      encoder: nptEncoder(parts), policy: parts.policy, memory: parts.memory, pool: parts.pool,
      nxHugePages: spec.nxHugePages)
  }

  /// The same, for a hypervisor whose guest has nested page tables too.
  func nptNestedMMU(_ parts: Parts) throws -> NestedMMU<NPTEncoder, PolicyStack> {
    try NestedMMU(
      encoder: nptEncoder(parts), policy: parts.policy, memory: parts.memory, pool: parts.pool)
  }

  private func nptEncoder(_ parts: Parts) throws -> NPTEncoder {
    let capabilities = NPTCapabilities(
      physicalAddressWidth: parts.width, form: parts.width > 48 ? .long5 : .long4,
      pages1GiB: spec.features?.contains("gbpages") ?? true,
      noExecute: spec.features?.contains("nx") ?? true)
    let layout = spec.layout
    let standard = MMIOMask.npt(physicalAddressWidth: parts.width, layout: layout)
    return try encoder("npt", parts, standard: standard) { mask throws(LayoutError) in
      try NPTEncoder(capabilities, mmio: mask, layout: layout)
    }
  }
}
