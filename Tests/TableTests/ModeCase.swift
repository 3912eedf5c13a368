import Paging
import X86
import X86EPT
import X86Legacy32
import X86Long
import X86PAE

/// Something done with the tables of any format, guest or host.
protocol FormatTest {
  func run<Format: BuildablePagingFormat>(
    _ format: Format, access: Format.Access, largePage: PageSize
  ) throws
}

/// The formats that the generic operations are tested on.
enum ModeCase: String, CaseIterable, Sendable, CustomStringConvertible {
  case legacy32, pae, long4, long5, ept

  var description: String { rawValue }

  private func registers(_ cr4: CR4, _ efer: EFER) -> X86Registers {
    X86Registers(cr0: [.protectionEnable, .paging, .writeProtect], cr4: cr4, efer: efer)
  }

  func run(_ test: some FormatTest) throws {
    let features = X86Features(physicalAddressWidth: 46)
    let long: EFER = [.longModeEnable, .longModeActive, .noExecuteEnable]
    switch self {
    case .legacy32:
      let format = Legacy32(registers([.pageSizeExtensions], []), features)
      try test.run(format, access: .read, largePage: .size4MiB)
    case .pae:
      let format = PAE(registers([.physicalAddressExtension], [.noExecuteEnable]), features)
      try test.run(format, access: .read, largePage: .size2MiB)
    case .long4:
      let format = Long4(registers([.physicalAddressExtension], long), features)
      try test.run(format, access: .read, largePage: .size2MiB)
    case .long5:
      let cr4: CR4 = [.physicalAddressExtension, .linearAddress57]
      try test.run(Long5(registers(cr4, long), features), access: .read, largePage: .size2MiB)
    case .ept:
      let format = EPTFormat(EPTCapabilities(physicalAddressWidth: 46))
      let access = EPTAccess(.read, reported: 1, isFinal: true, gva: nil)
      try test.run(format, access: access, largePage: .size2MiB)
    }
  }
}
