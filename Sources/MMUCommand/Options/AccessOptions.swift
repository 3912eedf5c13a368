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

  @Option(help: "IA32_PKRS at the access.")
  var pkrs: Number?

  @Flag(help: "The access is made through the stack segment.")
  var stack = false

  @Flag(help: "A shadow-stack access (CET).")
  var shadowStack = false

  func validate() throws {
    let isDescribed =
      user || ac || implicit || stack || shadowStack || pkru != nil || pkrs != nil
    if access == nil, isDescribed {
      throw ValidationError(
        "--user, --ac, --implicit, --stack, --shadow-stack, --pkru and --pkrs describe an --access")
    }
    for (name, number) in [("pkru", pkru), ("pkrs", pkrs)] {
      if let value = number?.value, value > 0xFFFF_FFFF {
        throw ValidationError("--\(name) is \(value) (32 bits)")
      }
    }
    if shadowStack, access == .fetch {
      throw ValidationError("--shadow-stack is for reads and writes")
    }
  }

  /// The access, or `nil` where none is judged.
  var judged: X86Access? {
    access.map {
      X86Access(
        $0.kind, user: user, implicit: implicit, alignmentCheck: ac, stack: stack,
        shadowStack: shadowStack)
    }
  }

  /// Puts PKRU and PKRS into the registers; where nothing is judged, LASS does not refuse addresses either.
  func adjust(_ resolved: inout ImageRegisters) {
    resolved.registers.pkru = UInt32(truncatingIfNeeded: pkru?.value ?? 0)
    resolved.registers.pkrs = UInt32(truncatingIfNeeded: pkrs?.value ?? 0)
    if access == nil { resolved.features.lass = false }
  }
}
