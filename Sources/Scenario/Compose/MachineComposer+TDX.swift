import MMU
import Paging
import X86
import X86EPT
import X86TDX

extension MachineComposer {
  /// The memory of a trust domain, whose shared half is EPT.
  func tdxMMU(_ parts: Parts) throws -> TDXMMU<EPTEncoder, PolicyStack> {
    let capabilities = EPTCapabilities(
      physicalAddressWidth: parts.width, levels: parts.width > 48 ? 5 : 4,
      accessedDirty: spec.features?.contains("ad") ?? true)
    try spec.layout.check(for: "tdx", among: [.standard])
    let encoder = try encoder("tdx", parts, standard: .tdx) { mask throws(LayoutError) in
      try EPTEncoder(capabilities, mmio: mask, for: "tdx")
    }
    let half = try TDPMMU(
      encoder: encoder, policy: parts.policy, memory: parts.memory, pool: parts.pool,
      mapsPrivateMemory: false, nxHugePages: spec.nxHugePages)
    return try TDXMMU(
      shared: half, module: TDXModule(addressing: TDXAddressing(isWide: parts.width == 52)))
  }

  /// Makes the frames of private regions private.
  func declarePrivate(_ machine: any ScenarioMachine) throws(ScenarioError) {
    for region in spec.memory where region.isPrivate {
      do {
        try machine.privateMemory?.convert(region.frames, toPrivate: true)
      } catch {
        throw self.error("\(error)", line: region.line)
      }
    }
  }

  /// Refuses what no trust domain can be.
  func checkDomain(_ mode: X86Mode, width: Int) throws(ScenarioError) {
    guard spec.mmu == .tdx else { return }
    guard width == 48 || width == 52 else {
      throw error(
        "a trust domain's addresses have 48 or 52 bits, not \(width) ('maxphyaddr')",
        line: spec.line)
    }
    guard mode != .legacy32, mode != .pae else {
      throw error(
        "a trust domain's guest is none, long4 or long5: entries of \(mode.rawValue) have no room"
          + " for the shared bit", line: registersLine)
    }
    for region in spec.memory + addedLater
    where region.gpa.rawValue + region.byteCount > 1 << UInt64(width - 1) {
      throw error("the region reaches the shared bit, \(width - 1)", line: region.line)
    }
  }
}
