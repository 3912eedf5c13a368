import MMU
import Paging
import X86
import X86Guest
import X86Long
import X86Shadow

extension MachineComposer {
  typealias ShadowMachineMMU = ShadowMMU<X86Processor, ShadowEncoder<Long5>, PolicyStack>

  /// A shadow MMU for guests of any mode.
  ///
  /// Entries are those of long mode under the host's registers; long mode with four levels has the
  /// same ones, so one encoder serves both depths.
  func shadowMMU(_ parts: Parts) throws -> ShadowMachineMMU {
    let width = parts.width
    let layout = spec.layout
    var features = X86Features(physicalAddressWidth: width)
    if layout == .encrypted {
      features.encryptionMask = MemoryEncryption.sme(physicalAddressWidth: width)?.mask ?? 0
    }
    let host = X86Registers(
      cr0: [.protectionEnable, .paging, .writeProtect],
      cr4: [.physicalAddressExtension, .linearAddress57],
      efer: [.longModeEnable, .longModeActive, .noExecuteEnable])
    let format = Long5(host, features)
    let standard = MMIOMask.shadow(physicalAddressWidth: width, layout: layout)
    let encoder = try encoder("shadow", parts, standard: standard) { mask throws(LayoutError) in
      try ShadowEncoder(
        format, rootLevel: Level(5), physicalAddressWidth: width, mmio: mask, layout: layout)
    }
    return ShadowMMU(
      encoder: encoder, policy: parts.policy, memory: parts.memory, pool: parts.pool,
      options: spec.shadow)
  }
}
