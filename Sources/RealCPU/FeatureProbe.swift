#if os(Linux) && arch(x86_64)
import AccessCases
import Paging
import X86

/// One access that comes out as it should only where the CPU has a feature.
struct FeatureProbe {
  /// What is left out where it does not.
  let name: String
  private let probe: AccessCase
  private let feature: WritableKeyPath<X86Features, Bool>?
  /// The bit of CR4 that nothing can be asked about without the feature.
  private let control: CR4
  /// Whether there is an access that tells; without one the CPU counts as one that lacks the feature.
  private let isAsked: Bool

  /// The features that a case's outcome may depend on.
  static var all: [FeatureProbe] {
    [
      FeatureProbe("1 GiB pages", \.gigabytePages) {
        $0.memory[0x2000] = 0x87
      },
      FeatureProbe("LA57", \.la57, .linearAddress57) {
        $0.mode = .long5
        $0.memory[0x5000] = 0x1007
        $0.registers.cr3 = 0x5000
      },
      FeatureProbe("SMEP", \.smep, .supervisorExecutionPrevention) {
        $0.access = X86Access(.fetch)
      },
      FeatureProbe("SMAP", \.smap, .supervisorAccessPrevention) { _ in },
      FeatureProbe("PCID", \.pcid, .processContextIdentifiers) { $0.registers.cr3 |= 5 },
      FeatureProbe("PKU", \.pku, .userProtectionKeys) {
        $0.registers.pkru = 1 << 2
        $0.memory[0x4000]? |= 1 << 59
      },
      FeatureProbe("PKS", \.pks, .supervisorProtectionKeys),
      FeatureProbe("LAM", \.lam, .supervisorLinearAddressMasking),
      FeatureProbe("LASS", \.lass, .linearAddressSpaceSeparation),
      FeatureProbe("CET", \.shadowStacks, .controlFlowEnforcement),
    ]
  }

  /// A plain read of a page.
  static var basic: FeatureProbe { FeatureProbe("long mode") { _ in } }

  /// A read through a PML4E with bit 8, which is reserved on AMD alone.
  static var vendor: FeatureProbe { FeatureProbe("vendor") { $0.memory[0x1000]? |= 1 << 8 } }

  /// A plain read through another entry of the root table.
  static func region(of address: GVA, isUser: Bool) -> FeatureProbe {
    FeatureProbe("region") {
      let index = address.rawValue >> 39 & 511
      $0.memory[0x1000] = nil
      $0.memory[0x1000 + index * 8] = 0x2007
      $0.address = GVA(UInt64(bitPattern: Int64(bitPattern: index << 55) >> 16) | 8)
      $0.access = X86Access(.read, user: isUser)
    }
  }

  /// A read through an entry with the lowest reserved address bit.
  static func width(_ width: Int) -> FeatureProbe {
    FeatureProbe("MAXPHYADDR \(width)") { $0.memory[0x4000]? |= 1 << UInt64(width) }
  }

  private init(
    _ name: String, _ feature: WritableKeyPath<X86Features, Bool>? = nil, _ control: CR4 = [],
    _ change: ((inout AccessCase) -> Void)? = nil
  ) {
    self.name = name
    self.feature = feature
    self.control = control
    var probe = AccessCase(
      id: name, mode: .long4,
      registers: X86Registers(
        cr0: CR0(rawValue: 0x8001_0031), cr3: 0x1000, cr4: [.physicalAddressExtension],
        efer: [.longModeEnable, .longModeActive, .noExecuteEnable]),
      features: X86Features(),
      memory: [0x1000: 0x2007, 0x2000: 0x3007, 0x3000: 0x4007, 0x4000: 0x7007], address: GVA(0x8),
      access: X86Access(.read), expectation: AccessOutcome(.contended, changed: [:]))
    probe.registers.cr4.formUnion(control)
    change?(&probe)
    isAsked = change != nil
    self.probe = probe
  }

  /// Whether the CPU does what the model does with the feature.
  func agrees(_ guest: CaseGuest, _ features: X86Features) -> Bool {
    guard isAsked else { return false }
    var probe = probe
    probe.features = features
    if let feature { probe.features[keyPath: feature] = true }
    let wanted = probe.run()
    guard case .outcome(let outcome) = guest.run(probe, target: probe.destination) else {
      return false
    }
    return AccessOutcome.agree(outcome, wanted)
  }

  /// Whether a processor has the feature.
  func isThere(_ features: X86Features) -> Bool {
    feature.map { features[keyPath: $0] } ?? true
  }

  /// Takes the feature away from a processor.
  func remove(from features: inout X86Features) {
    if let feature { features[keyPath: feature] = false }
  }

  /// Whether the case sets the feature's control bit.
  func isNeeded(by access: AccessCase) -> Bool {
    !control.isEmpty && access.registers.cr4.contains(control)
  }
}
#endif
