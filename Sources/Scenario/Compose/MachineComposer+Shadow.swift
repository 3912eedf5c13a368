import MMU
import Paging
import PluginHost
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
  func shadowMMU(
    _ processor: X86Processor, _ policy: PolicyStack, _ memory: GuestMemory, _ pool: TablePool
  ) throws -> ShadowMachineMMU {
    let width = processor.features.physicalAddressWidth
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
      mask = try Plugin.mmioMask(
        of: plugins.plugins, maxphyaddr: width, encoder: "shadow", standard: standard
      ) { proposed throws(LayoutError) in _ = try encoder(proposed) }
    }
    return ShadowMMU(
      encoder: try encoder(mask), policy: policy, memory: memory, pool: pool,
      options: spec.shadow)
  }
}
