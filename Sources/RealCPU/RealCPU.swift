public import AccessCases
import Paging
import X86

/// The CPU of this machine, asked through `/dev/kvm` what it makes of access cases.
///
/// Each case becomes a guest of its own that makes the one access; exceptions are told apart by their
/// handlers, and the tables are read afterwards. 32-bit paging, implicit accesses and shadow stacks are
/// left out, and so is what a case says of its processor where this one is another: each feature is
/// tried first, since CPUID need not tell what a KVM does.
public final class RealCPU {
  #if os(Linux) && arch(x86_64)
  /// The guests, by what CPUID tells them, which cannot change once they have run.
  private var guests: [X86Features: (guest: CaseGuest, features: X86Features)] = [:]
  #endif

  /// Through what the CPU is asked.
  public static let device = "/dev/kvm"

  /// The CPU.
  ///
  /// - Throws: `KVMError` where there is no KVM, or it runs no guest in long mode.
  public init() throws(KVMError) {
    #if os(Linux) && arch(x86_64)
    _ = try guest(telling: X86Features(physicalAddressWidth: 40))
    #else
    throw KVMError("only Linux on x86-64 has it")
    #endif
  }

  /// Makes a case's access.
  public func run(_ access: AccessCase) -> CPUVerdict {
    #if os(Linux) && arch(x86_64)
    if access.mode != .long4 && access.mode != .long5 { return .leftOut("32-bit paging") }
    if access.access.isImplicit { return .leftOut("an implicit access") }
    if access.access.isShadowStack { return .leftOut("a shadow stack") }
    let (guest, features): (CaseGuest, X86Features)
    do {
      (guest, features) = try self.guest(
        telling: X86Features(
          physicalAddressWidth: access.features.physicalAddressWidth,
          vendor: access.features.vendor))
    } catch {
      return .leftOut(error.description)
    }
    if let missing = missing(features, for: access) { return .leftOut(missing) }
    let verdict = guest.run(access, target: access.destination)
    guard case .outcome(var outcome) = verdict, case .refused = outcome.result else {
      return verdict
    }
    // A KVM without the hardware's help keeps parts of the address space for itself.
    let region = FeatureProbe.region(of: access.address, isUser: access.access.isUser)
    if access.mode == .long4, !region.agrees(guest, features) {
      return .leftOut("a region that KVM keeps for itself")
    }
    // The processor may mark the entries that it walked before it refuses (SPEC W11).
    let accessed: UInt64 = 1 << 5
    outcome.changed = outcome.changed.filter {
      $0.value != access.memory[$0.key, default: 0] | accessed
    }
    return .outcome(outcome)
    #else
    return .leftOut("no KVM")
    #endif
  }

  #if os(Linux) && arch(x86_64)
  /// What this CPU lacks that the case's outcome depends on.
  private func missing(_ features: X86Features, for access: AccessCase) -> String? {
    let wanted = access.run()
    for probe in FeatureProbe.all where !probe.isThere(features) {
      var without = access
      probe.remove(from: &without.features)
      if without.run() != wanted || probe.isNeeded(by: access) { return "no \(probe.name)" }
    }
    var other = access
    other.features.physicalAddressWidth = features.physicalAddressWidth
    if other.run() != wanted { return "MAXPHYADDR is \(features.physicalAddressWidth)" }
    other = access
    other.features.vendor = features.vendor
    return other.run() == wanted ? nil : "bit 8 of a PML4E is as \(features.vendor) has it"
  }

  private func guest(
    telling told: X86Features
  ) throws(KVMError) -> (guest: CaseGuest, features: X86Features) {
    if let known = guests[told] { return known }
    let guest = try CaseGuest(telling: told)
    var features = told
    let width = told.physicalAddressWidth
    guard FeatureProbe.basic.agrees(guest, told) else {
      throw KVMError("this KVM runs no guest in long mode")
    }
    for probe in FeatureProbe.all where !probe.agrees(guest, told) {
      probe.remove(from: &features)
    }
    if !FeatureProbe.vendor.agrees(guest, told) {
      features.vendor = told.vendor == .intel ? .amd : .intel
    }
    // Where the told width is not what counts, the widest is right for most cases.
    if width < 52, !FeatureProbe.width(width).agrees(guest, told) {
      features.physicalAddressWidth = 52
    }
    guests[told] = (guest, features)
    return (guest, features)
  }
  #endif
}
