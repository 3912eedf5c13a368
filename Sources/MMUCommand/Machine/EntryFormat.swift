import ArgumentParser
import Paging
import X86
import X86EPT
import X86Guest
import X86TDX

/// The entry formats that `mmu decode` knows.
enum EntryFormat: String, ExpressibleByArgument, CaseIterable {
  case legacy32, pae, long4, long5, ept, tdx

  /// The levels at which the format has entries, from 1.
  var levels: ClosedRange<Int> {
    switch self {
    case .legacy32: 1...2
    case .pae: 1...3
    case .long4, .ept, .tdx: 1...4
    case .long5: 1...5
    }
  }

  /// The guest mode, with the features and registers that give each bit its meaning.
  func regime(physicalAddressWidth: Int) -> X86Regime? {
    var registers = X86Registers(
      cr0: [.protectionEnable, .paging, .writeProtect], cr4: [.pageSizeExtensions])
    switch self {
    case .ept, .tdx: return nil
    case .legacy32: break
    case .pae: registers.cr4.insert(.physicalAddressExtension)
    case .long4, .long5:
      registers.cr4.insert(.physicalAddressExtension)
      if self == .long5 { registers.cr4.insert(.linearAddress57) }
      registers.efer.formUnion([.longModeEnable, .longModeActive])
    }
    if self != .legacy32 { registers.efer.insert(.noExecuteEnable) }
    return X86Regime(registers, X86Features(physicalAddressWidth: physicalAddressWidth))
  }

  /// The encoder of second-level entries; of a trust domain, for its shared EPT and for the mirror.
  func encoder(physicalAddressWidth: Int) throws(LayoutError) -> EPTEncoder? {
    let capabilities = EPTCapabilities(physicalAddressWidth: physicalAddressWidth)
    switch self {
    case .ept: return try EPTEncoder(capabilities)
    case .tdx: return try EPTEncoder(capabilities, mmio: .tdx, name: "tdx")
    case .legacy32, .pae, .long4, .long5: return nil
    }
  }
}
