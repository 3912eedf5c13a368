import ArgumentParser
import GuestImage
import X86

/// The access to judge, for commands that can.
struct AccessOptions: ParsableArguments {
  @Option(help: "Judge this access; without it rights are reported, not judged.")
  var access: AccessArgument?

  @Flag(help: "The access is made in user mode (CPL 3).")
  var user = false

  @Flag(help: "RFLAGS.AC is set at the access, which lifts SMAP.")
  var ac = false

  @Flag(help: "No instruction asked for the access (descriptor tables, the TSS).")
  var implicit = false

  @Option(help: "PKRU at the access.")
  var pkru: Number?

  func validate() throws {
    if access == nil, user || ac || implicit || pkru != nil {
      throw ValidationError("--user, --ac, --implicit and --pkru describe an --access")
    }
    if let value = pkru?.value, value > 0xFFFF_FFFF {
      throw ValidationError("--pkru is \(value) (32 bits)")
    }
  }

  /// The access, or `nil` where none is judged.
  var judged: X86Access? {
    access.map { X86Access($0.kind, user: user, implicit: implicit, alignmentCheck: ac) }
  }

  /// Puts PKRU into the registers; where nothing is judged, LASS does not refuse addresses either.
  func adjust(_ resolved: inout ImageRegisters) {
    resolved.registers.pkru = UInt32(truncatingIfNeeded: pkru?.value ?? 0)
    if access == nil { resolved.features.lass = false }
  }
}
