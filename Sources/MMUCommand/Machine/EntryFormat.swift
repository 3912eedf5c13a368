import ArgumentParser
import X86
import X86Guest

/// The entry formats that `mmu decode` knows.
enum EntryFormat: String, ExpressibleByArgument, CaseIterable {
  case legacy32, pae, long4, long5, ept, npt, shadow, tdx

  /// The levels at which the format has entries, from 1.
  var levels: ClosedRange<Int> {
    switch self {
    case .legacy32: 1...2
    case .pae: 1...3
    case .long4, .ept, .npt, .tdx: 1...4
    case .long5, .shadow: 1...5
    }
  }

  /// The guest mode, with the features and registers that give each bit its meaning.
  func regime(physicalAddressWidth: Int) -> X86Regime? {
    var registers = X86Registers(
      cr0: [.protectionEnable, .paging, .writeProtect], cr4: [.pageSizeExtensions])
    switch self {
    case .ept, .npt, .shadow, .tdx: return nil
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

  /// The encoder of our own entries; `nil` for guests'.
  var encoder: EncoderName? { EncoderName(rawValue: rawValue) }
}
