public import Paging
public import X86EPT
public import X86NPT

/// The tables behind which the imaged guest, itself a hypervisor, runs a guest of its own.
public enum SecondLevel: Sendable {
  /// Extended page tables.
  case ept(FormatRegime<EPTFormat>)
  /// Nested page tables.
  case npt(FormatRegime<NPTFormat>)

  /// The EPT that an EPTP names.
  ///
  /// - Parameters:
  ///   - eptp: the EPTP, as the VMCS holds it.
  ///   - physicalAddressWidth: MAXPHYADDR. **Units** bits.
  /// - Throws: `ImageError.unsupported`: VM entry would fail with it.
  public init(eptp: UInt64, physicalAddressWidth: Int) throws(ImageError) {
    let format = EPTFormat(
      EPTCapabilities(
        physicalAddressWidth: physicalAddressWidth, levels: Int(eptp >> 3 & 7) + 1,
        accessedDirty: eptp & 1 << 6 != 0))
    guard let root = format.root(eptp: eptp) else {
      throw .unsupported(
        field: "EPTP", value: eptp,
        allowed: "memory type 0 or 6, walk length 4 or 5, reserved bits clear")
    }
    self = .ept(FormatRegime(format, root: root))
  }

  /// The nested tables that an nCR3 names; bits that CR3 has no address in are not looked at.
  ///
  /// - Parameters:
  ///   - ncr3: the host's CR3.
  ///   - form: the paging mode of the hypervisor, which the tables have too.
  ///   - physicalAddressWidth: MAXPHYADDR. **Units** bits.
  /// - Throws: `ImageError.unsupported`: an address beyond MAXPHYADDR.
  public init(
    ncr3: UInt64, form: NPTCapabilities.Form, physicalAddressWidth: Int
  ) throws(ImageError) {
    let format = NPTFormat(
      NPTCapabilities(physicalAddressWidth: physicalAddressWidth, form: form))
    let root = ncr3 & ~(form == .pae ? 0x1F : 0xFFF)
    guard root >> UInt64(format.capabilities.physicalAddressWidth) == 0 else {
      throw .unsupported(
        field: "nCR3", value: ncr3,
        allowed: "an address of \(format.capabilities.physicalAddressWidth) bits")
    }
    self = .npt(FormatRegime(format, root: TableRoot(root)))
  }
}

extension SecondLevel: CustomStringConvertible {
  /// Such as `EPT of 4 levels at 0x8000`.
  public var description: String {
    switch self {
    case .ept(let regime):
      "EPT of \(regime.format.capabilities.levels) levels at \(HPA(regime.root.address))"
    case .npt(let regime):
      "NPT of \(regime.format.capabilities.levels) levels at \(HPA(regime.root.address))"
    }
  }
}
