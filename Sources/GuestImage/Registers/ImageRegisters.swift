public import X86

/// The registers to walk an image with, and what had to be assumed.
///
/// What is said on the command line wins, then what the image itself says, then the sidecar. EFER is
/// in no image, only a running QEMU tells it: without a word from anybody the mode is told by the ELF machine and CR4.
public struct ImageRegisters: Hashable, Sendable {
  /// The registers.
  public var registers: X86Registers
  /// The processor: everything that CR4 and EFER may turn on, and MAXPHYADDR.
  public var features: X86Features
  /// What was assumed or overruled, for people; one line each.
  public var notes: [String] = []

  /// Registers that are known.
  init(registers: X86Registers, features: X86Features) {
    self.registers = registers
    self.features = features
  }

  /// MAXPHYADDR where nobody says: the architecture's largest, so that no legal entry is refused.
  public static var assumedPhysicalAddressWidth: Int { 52 }

  /// Resolves the registers of one vCPU.
  ///
  /// - Parameters:
  ///   - image: the image.
  ///   - cpu: which of its vCPUs; 0 is always there, even where the image names none.
  ///   - given: what the user says.
  ///   - sidecar: what a file beside the image says.
  /// - Throws: `ImageError`: no such vCPU, no CR3 anywhere, or not an x86 image.
  public init(
    of image: GuestImage, cpu: Int = 0, given: RegisterValues = RegisterValues(),
    sidecar: RegisterValues = RegisterValues()
  ) throws(ImageError) {
    let isNamed = image.vCPUs.indices.contains(cpu)
    guard isNamed || (cpu == 0 && image.vCPUs.isEmpty) else {
      throw .noSuchCPU(asked: cpu, count: image.vCPUs.count)
    }
    let note = isNamed ? image.vCPUs[cpu] : nil
    let machine = image.machine
    if let machine, !ELFCore.isX86(machine), given.mode == nil, sidecar.mode == nil {
      throw .notX86(machine: machine)
    }
    guard let cr3 = given.cr3 ?? note?.cr3 ?? sidecar.cr3 else { throw .noCR3 }
    let saidCR4 = given.cr4 ?? note?.cr4 ?? sidecar.cr4
    let saidEFER = given.efer ?? note?.efer ?? sidecar.efer

    var efer = EFER(rawValue: saidEFER ?? 0)
    var cr4 = CR4(rawValue: saidCR4 ?? 0)
    var cr0 = CR0(rawValue: given.cr0 ?? note?.cr0 ?? sidecar.cr0 ?? Self.assumedCR0)
    let isPagingSaid = given.cr0 != nil || note != nil || sidecar.cr0 != nil

    let wanted = given.mode ?? (given.efer == nil ? sidecar.mode : nil)
    if let wanted {
      // The sidecar tells what the image lacks: whether long mode is on. Only a flag overrules CR4.
      let mayChangeCR4 = given.mode != nil || saidCR4 == nil
      Self.apply(wanted, changingCR4: mayChangeCR4, hasEFER: saidEFER != nil, &cr0, &cr4, &efer)
    } else if saidEFER == nil {
      let assumed = Self.assumedMode(machine: machine, cr4: saidCR4.map(CR4.init(rawValue:)))
      if !isPagingSaid || cr0.contains(.paging) {
        Self.apply(assumed, changingCR4: saidCR4 == nil, hasEFER: false, &cr0, &cr4, &efer)
        notes.append(
          "EFER is not in the image: \(assumed.rawValue) is assumed from"
            + " \(machine == nil ? "nothing but CR4" : "the ELF machine and CR4")"
            + " (--mode or --efer say otherwise)")
      }
    }
    registers = X86Registers(cr0: cr0, cr3: cr3, cr4: cr4, efer: efer)
    features = X86Features(
      physicalAddressWidth: given.physicalAddressWidth ?? sidecar.physicalAddressWidth
        ?? image.physicalAddressWidth ?? Self.assumedPhysicalAddressWidth,
      vendor: given.vendor ?? sidecar.vendor ?? .intel)
    if let mode = sidecar.mode, given.mode == nil, given.efer == nil, mode != registers.mode {
      notes.append(
        "the sidecar says \(mode.rawValue), the registers \(registers.mode.rawValue):"
          + " the registers are followed (--mode says otherwise)")
    }
  }

  /// PE, WP and PG.
  private static var assumedCR0: UInt64 { 0x8001_0001 }

  /// The mode that the ELF machine and CR4 tell: 62 is long mode, 3 is not.
  private static func assumedMode(machine: UInt16?, cr4: CR4?) -> X86Mode {
    if machine == 3 { return cr4?.contains(.physicalAddressExtension) == true ? .pae : .legacy32 }
    if machine == nil, let cr4, !cr4.contains(.physicalAddressExtension) { return .legacy32 }
    return cr4?.contains(.linearAddress57) == true ? .long5 : .long4
  }

  /// Makes the registers select a mode.
  private static func apply(
    _ mode: X86Mode, changingCR4: Bool, hasEFER: Bool, _ cr0: inout CR0, _ cr4: inout CR4,
    _ efer: inout EFER
  ) {
    if mode == .none {
      cr0.remove(.paging)
      return
    }
    cr0.formUnion([.protectionEnable, .paging])
    let isLong = mode == .long4 || mode == .long5
    if changingCR4 {
      cr4.remove([.physicalAddressExtension, .linearAddress57])
      if mode != .legacy32 { cr4.insert(.physicalAddressExtension) }
      if mode == .long5 { cr4.insert(.linearAddress57) }
      if mode == .legacy32 { cr4.insert(.pageSizeExtensions) }
    }
    if isLong {
      efer.formUnion([.longModeEnable, .longModeActive])
    } else {
      efer.remove([.longModeEnable, .longModeActive])
    }
    if !hasEFER, mode != .legacy32 { efer.insert(.noExecuteEnable) }
  }
}
