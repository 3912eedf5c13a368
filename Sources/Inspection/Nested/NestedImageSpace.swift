public import GuestImage
public import Paging
public import X86
public import X86EPT
public import X86Guest
public import X86PAE

/// An address space of a guest inside the imaged guest: its tables lie behind the EPT that the imaged
/// guest made (SPEC W17).
public struct NestedImageSpace: Sendable {
  /// What a load behind EPT can fail with.
  public typealias Failure = NestedMemory<EPTFormat, HostImage>.Failure

  /// The image, whose addresses EPT leads to.
  public let host: HostImage
  /// EPT, from the EPTP on.
  public let second: FormatRegime<EPTFormat>
  /// The inner guest's registers.
  public let registers: X86Registers
  /// What its processor can do.
  public let features: X86Features
  /// How the inner guest translates; in PAE its PDPTEs were read behind EPT.
  public let regime: X86Regime
  /// The PDPTE registers of PAE.
  public let pdptes: PDPTERegisters

  /// An inner address space.
  ///
  /// - Parameter resolved: the inner guest's registers.
  /// - Throws: `ImageError.unsupported` for an EPTP with which VM entry would fail or PDPTEs that EPT
  ///   or the image do not give; `.badPDPTE`.
  public init(
    _ image: GuestImage, _ resolved: ImageRegisters, eptp: UInt64
  ) throws(ImageError) {
    host = HostImage(image)
    let format = EPTFormat(
      EPTCapabilities(
        physicalAddressWidth: resolved.features.physicalAddressWidth,
        levels: Int(eptp >> 3 & 7) + 1, accessedDirty: eptp & 1 << 6 != 0))
    guard let root = format.root(eptp: eptp) else {
      throw .unsupported(
        field: "EPTP", value: eptp,
        allowed: "memory type 0 or 6, walk length 4 or 5, reserved bits clear")
    }
    second = FormatRegime(format, root: root)
    registers = resolved.registers
    features = resolved.features
    let memory = NestedMemory(second: second, host: host, gva: nil)
    guard registers.mode == .pae else {
      pdptes = PDPTERegisters(0, 0, 0, 0)
      regime = X86Regime(registers, features)
      return
    }
    switch PDPTERegisters.load(
      cr3: registers.cr3, features: features, in: memory, .acceptingAccessedBit)
    {
    case .success(let loaded):
      pdptes = loaded.registers
      regime = X86Regime(registers, features, pdptes: loaded.registers)
    case .failure(.reservedBits(let index, let entry, let bits)):
      throw .badPDPTE(index: index, entry: entry, bits: bits)
    case .failure(.unreadable(_, let entry)):
      throw .unsupported(
        field: "the GPA of the PDPTEs", value: entry, allowed: "mapped by EPT, and in the image")
    }
  }

  /// The inner guest's physical memory, as EPT shows it to a walk.
  public func memory(for gva: GVA) -> NestedMemory<EPTFormat, HostImage> {
    NestedMemory(second: second, host: host, gva: gva)
  }

  /// EPT's own walk for the page that a guest walk arrived at.
  public func hostPage(
    of gpa: GPA, for access: X86Access, isUserPage: Bool, gva: GVA
  ) -> Result<Translation<HostPhysical, EPTRights>, Failure> {
    memory(for: gva)
      .walk(gpa, second.format.finalAccess(access.kind, isUser: isUserPage, for: gva))
  }

  /// A failure in words that follow "the page".
  public static func words(_ failure: Failure) -> String {
    switch failure {
    case .fault(.violation(let violation)), .fault(.virtualizationException(let violation)):
      "is refused by EPT: a violation, GPA \(violation.gpa), level \(violation.level),"
        + " qualification 0x\(String(violation.qualification.rawValue, radix: 16))"
    case .fault(.misconfiguration(let exit)):
      "is refused by EPT: a misconfiguration, GPA \(exit.gpa), level \(exit.level),"
        + " entry 0x\(String(exit.entry, radix: 16))"
    case .unreadable(let hole, let entry, let level):
      "is not known: an EPT table (level \(level), HPA \(HPA(entry))) or the page itself is not in"
        + " this file (\(hole.gpa))"
    case .contended: "is not known: entries kept changing"
    }
  }
}
