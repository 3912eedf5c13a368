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
    func encoder(_ mask: MMIOMask?) throws(LayoutError) -> ShadowEncoder<Long5> {
      let host = X86Registers(
        cr0: [.protectionEnable, .paging, .writeProtect],
        cr4: [.physicalAddressExtension, .linearAddress57],
        efer: [.longModeEnable, .longModeActive, .noExecuteEnable])
      return try ShadowEncoder(
        Long5(host, X86Features(physicalAddressWidth: width)), rootLevel: Level(5),
        physicalAddressWidth: width, mmio: mask)
    }
    var mask = MMIOMask.shadow(physicalAddressWidth: width)
    if let standard = mask {
      mask = try mmioMask("shadow", parts, standard: standard) { proposed throws(LayoutError) in
        _ = try encoder(proposed)
      }
    }
    return ShadowMMU(
      encoder: try encoder(mask), policy: parts.policy, memory: parts.memory, pool: parts.pool,
      options: spec.shadow)
  }
}
