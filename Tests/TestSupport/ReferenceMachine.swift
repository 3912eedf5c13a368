/// The registers and CPUID answers of the reference walk: plain numbers, nothing of the sources.
package struct ReferenceMachine: Hashable, Sendable {
  /// The control registers and IA32_EFER, whole.
  package var cr0: UInt64 = 0
  package var cr3: UInt64 = 0
  package var cr4: UInt64 = 0
  package var efer: UInt64 = 0
  package var pkru: UInt32 = 0
  package var pkrs: UInt32 = 0
  /// The PDPTE registers.
  package var pdptes: [UInt64] = [0, 0, 0, 0]
  /// MAXPHYADDR.
  package var width = 52
  package var isAMD = false
  package var hasNX = true
  package var hasPSE = true
  package var hasPSE36 = true
  package var hasGigabytePages = true
  package var hasSMEP = true
  package var hasSMAP = true
  package var hasPKU = true
  package var hasPKS = true
  package var hasLAM = true
  package var hasLASS = true
  package var hasShadowStacks = true

  package init() {}

  package enum Mode: Hashable, Sendable { case none, legacy32, pae, long4, long5 }

  /// SPEC W, the table of modes.
  package var mode: Mode {
    if bit(cr0, 31) == 0 { return .none }
    if bit(cr4, 5) == 0 { return .legacy32 }
    if bit(efer, 10) == 0 { return .pae }
    return bit(cr4, 12) == 0 ? .long4 : .long5
  }

  package var isLong: Bool { mode == .long4 || mode == .long5 }
  package var wp: Bool { bit(cr0, 16) == 1 }
  package var nxe: Bool { hasNX && bit(efer, 11) == 1 }
  package var pse: Bool { hasPSE && bit(cr4, 4) == 1 }
  package var pae: Bool { bit(cr4, 5) == 1 }
  package var smep: Bool { hasSMEP && bit(cr4, 20) == 1 }
  package var smap: Bool { hasSMAP && bit(cr4, 21) == 1 }
  package var pke: Bool { hasPKU && bit(cr4, 22) == 1 && isLong }
  package var cet: Bool { hasShadowStacks && bit(cr4, 23) == 1 }
  package var pks: Bool { hasPKS && bit(cr4, 24) == 1 && isLong }
  package var lass: Bool { hasLASS && bit(cr4, 27) == 1 && isLong }
  package var lamSupervisor: Bool { hasLAM && bit(cr4, 28) == 1 && isLong }
  package var lamUser57: Bool { hasLAM && bit(cr3, 61) == 1 && isLong }
  package var lamUser48: Bool { hasLAM && bit(cr3, 62) == 1 && isLong && !lamUser57 }

  func bit(_ value: UInt64, _ number: Int) -> Int { Int(value >> UInt64(number) & 1) }
}
