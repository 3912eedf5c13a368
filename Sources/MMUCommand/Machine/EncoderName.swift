public import ArgumentParser
public import Paging
import X86
import X86EPT
import X86Long
import X86NPT
import X86Shadow
import X86TDX

/// The encoders that `mmu layout` and `mmu decode` know.
enum EncoderName: String, ExpressibleByArgument, CaseIterable {
  case ept, npt, shadow, tdx

  /// The layouts that it has.
  var layouts: [NamedLayout] {
    switch self {
    case .ept: EPTEncoder.layouts
    case .npt: NPTEncoder.layouts
    case .shadow: ShadowEncoder<Long5>.layouts
    case .tdx: [.standard]
    }
  }

  /// The encoder of a machine that uses what it can.
  ///
  /// - Parameter width: MAXPHYADDR. **Units** bits, 32...52.
  func encoder(_ layout: NamedLayout, width: Int) throws(LayoutError) -> any SPTEEncoder {
    switch self {
    case .ept:
      var capabilities = EPTCapabilities(physicalAddressWidth: width)
      capabilities.modeBasedExecution = layout == .modeBased
      return try EPTEncoder(capabilities, layout: layout)
    case .tdx:
      try layout.check(for: rawValue, among: layouts)
      return try EPTEncoder(
        EPTCapabilities(physicalAddressWidth: width), mmio: .tdx, for: rawValue)
    case .npt:
      return try NPTEncoder(NPTCapabilities(physicalAddressWidth: width), layout: layout)
    case .shadow:
      let host = X86Registers(
        cr0: [.protectionEnable, .paging, .writeProtect],
        cr4: [.physicalAddressExtension, .linearAddress57],
        efer: [.longModeEnable, .longModeActive, .noExecuteEnable])
      var features = X86Features(physicalAddressWidth: width)
      if layout == .encrypted {
        features.encryptionMask = MemoryEncryption.sme(physicalAddressWidth: width)?.mask ?? 0
      }
      return try ShadowEncoder(
        Long5(host, features), rootLevel: Level(5), physicalAddressWidth: width,
        mmio: .shadow(physicalAddressWidth: width, layout: layout), layout: layout)
    }
  }
}

extension NamedLayout: ExpressibleByArgument {}

extension NamedLayout {
  /// The help of options that take a layout's name.
  static var help: ArgumentHelp {
    "A named layout: \(allCases.map(\.rawValue).joined(separator: ", "))."
  }
}
