public import Paging
import X86
import X86PAE

/// One small thing that could be otherwise: a bit of an entry, a bit of a register, or the address.
public enum AccessChange: Hashable, Sendable {
  /// One bit of an entry in memory is flipped.
  case entryBit(entry: ExplainedEntry, bit: Int)
  /// One bit of a register is flipped.
  case registerBit(RegisterBit)
  /// Another address is used.
  case address(GVA)

  /// The registers' bits that can be changed.
  public enum RegisterBit: Hashable, Sendable {
    /// CR0.WP.
    case writeProtect
    /// CR4.SMEP.
    case smep
    /// CR4.SMAP.
    case smap
    /// CR4.PKE.
    case userKeys
    /// CR4.PKS.
    case supervisorKeys
    /// CR4.CET.
    case shadowStacks
    /// CR4.LASS.
    case lass
    /// EFER.NXE.
    case executeDisable
    /// RFLAGS.AC at the access.
    case alignmentCheck
    /// A bit of PKRU: 2 × key is AD, the next WD.
    case pkru(Int)
    /// A bit of IA32_PKRS, laid out as PKRU.
    case pkrs(Int)
  }
}

extension AccessChange.RegisterBit {
  /// Every bit that is not of a key.
  static var switches: [Self] {
    [
      .writeProtect, .smep, .smap, .userKeys, .supervisorKeys, .shadowStacks, .lass,
      .executeDisable, .alignmentCheck,
    ]
  }

  /// The bit's name, such as `CR4.SMEP`.
  public var name: String {
    switch self {
    case .writeProtect: "CR0.WP"
    case .smep: "CR4.SMEP"
    case .smap: "CR4.SMAP"
    case .userKeys: "CR4.PKE"
    case .supervisorKeys: "CR4.PKS"
    case .shadowStacks: "CR4.CET"
    case .lass: "CR4.LASS"
    case .executeDisable: "EFER.NXE"
    case .alignmentCheck: "RFLAGS.AC"
    case .pkru(let bit): "PKRU.\(bit & 1 == 0 ? "AD" : "WD")\(bit / 2)"
    case .pkrs(let bit): "IA32_PKRS.\(bit & 1 == 0 ? "AD" : "WD")\(bit / 2)"
    }
  }

  /// Whether the bit is set.
  public func isSet(in situation: AccessSituation) -> Bool {
    let registers = situation.registers
    return switch self {
    case .writeProtect: registers.cr0.contains(.writeProtect)
    case .smep: registers.cr4.contains(.supervisorExecutionPrevention)
    case .smap: registers.cr4.contains(.supervisorAccessPrevention)
    case .userKeys: registers.cr4.contains(.userProtectionKeys)
    case .supervisorKeys: registers.cr4.contains(.supervisorProtectionKeys)
    case .shadowStacks: registers.cr4.contains(.controlFlowEnforcement)
    case .lass: registers.cr4.contains(.linearAddressSpaceSeparation)
    case .executeDisable: registers.efer.contains(.noExecuteEnable)
    case .alignmentCheck: situation.access.alignmentCheck
    case .pkru(let bit): registers.pkru >> UInt32(bit & 31) & 1 != 0
    case .pkrs(let bit): registers.pkrs >> UInt32(bit & 31) & 1 != 0
    }
  }

  func flip(in situation: inout AccessSituation) {
    switch self {
    case .writeProtect: situation.registers.cr0.formSymmetricDifference(.writeProtect)
    case .smep: flip(.supervisorExecutionPrevention, &situation)
    case .smap: flip(.supervisorAccessPrevention, &situation)
    case .userKeys: flip(.userProtectionKeys, &situation)
    case .supervisorKeys: flip(.supervisorProtectionKeys, &situation)
    case .shadowStacks: flip(.controlFlowEnforcement, &situation)
    case .lass: flip(.linearAddressSpaceSeparation, &situation)
    case .executeDisable: situation.registers.efer.formSymmetricDifference(.noExecuteEnable)
    case .alignmentCheck: situation.access.alignmentCheck.toggle()
    case .pkru(let bit): situation.registers.pkru ^= 1 << UInt32(bit & 31)
    case .pkrs(let bit): situation.registers.pkrs ^= 1 << UInt32(bit & 31)
    }
  }

  private func flip(_ bit: CR4, _ situation: inout AccessSituation) {
    situation.registers.cr4.formSymmetricDifference(bit)
  }
}

extension AccessChange {
  /// Makes the change, in the situation or above the memory.
  func apply<Base>(to situation: inout AccessSituation, in memory: inout OverlayMemory<Base>)
  where Base.Space == GuestPhysical {
    switch self {
    case .entryBit(let entry, let bit):
      let held = memory.changed[entry.gpa.rawValue] ?? entry.value
      memory.set(held ^ 1 << UInt64(bit & 63), at: entry.gpa)
    case .registerBit(let bit): bit.flip(in: &situation)
    case .address(let address): situation.address = address
    }
  }

  /// What to do, such as `set R/W (bit 1) of the PTE at GPA 0x1000`.
  public func words(in situation: AccessSituation) -> String {
    switch self {
    case .entryBit(let entry, let bit):
      let verb = entry.value >> UInt64(bit & 63) & 1 == 0 ? "set" : "clear"
      return "\(verb) \(Self.bitName(bit, of: entry)) (bit \(bit)) of the \(entry.place)"
    case .registerBit(let bit): return "\(bit.isSet(in: situation) ? "clear" : "set") \(bit.name)"
    case .address(let address): return "use the address \(address)"
    }
  }

  /// The name of the field that a bit of an entry belongs to.
  static func bitName(_ bit: Int, of entry: ExplainedEntry) -> String {
    switch bit {
    case 0: "P"
    case 1: "R/W"
    case 2: "U/S"
    default: entry.fields.first { $0.bits.contains(bit) }?.name ?? "a reserved bit"
    }
  }
}
