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

/// One access of the reference walk.
package struct ReferenceAccess: Hashable, Sendable {
  package enum Kind: Hashable, Sendable, CaseIterable { case read, write, fetch }
  package var kind: Kind
  package var user = false
  package var implicit = false
  package var ac = false
  package var stack = false
  package var shadowStack = false

  package init(_ kind: Kind) { self.kind = kind }

  /// CPL 3 and asked for by the instruction itself.
  var isUserMode: Bool { user && !implicit }
}

/// The tables of the reference walk: entries by address, and which frames exist.
package struct ReferenceMemory: Hashable, Sendable {
  package var entries: [UInt64: UInt64] = [:]
  package var frames: Set<UInt64> = []
  package var readOnlyFrames: Set<UInt64> = []

  package init() {}

  /// The entry, 0 where the frame holds none there, `nil` outside all frames.
  func entry(at address: UInt64) -> UInt64? {
    frames.contains(address / 4096) ? entries[address] ?? 0 : nil
  }
}

/// What a reference walk ends with.
package enum ReferenceOutcome: Hashable, Sendable {
  case translated(ReferenceTranslation)
  /// A page fault with its CR2.
  case pageFault(error: UInt32, level: Int, cause: String, cr2: UInt64)
  /// A bad address: vector 13 or 12.
  case badAddress(vector: Int, cause: String)
  case unreadable(entry: UInt64, level: Int)
}

/// A translation: numbers and rights.
package struct ReferenceTranslation: Hashable, Sendable {
  package var pa: UInt64
  package var pageSize: UInt64
  package var level: Int
  package var writable: Bool
  package var user: Bool
  package var executable: Bool
  package var tablesWritable: Bool
  package var tablesUser: Bool
  package var tablesExecutable: Bool
  package var leaf: UInt64

  package init(
    pa: UInt64, pageSize: UInt64, level: Int, writable: Bool, user: Bool, executable: Bool,
    tablesWritable: Bool, tablesUser: Bool, tablesExecutable: Bool, leaf: UInt64
  ) {
    self.pa = pa
    self.pageSize = pageSize
    self.level = level
    self.writable = writable
    self.user = user
    self.executable = executable
    self.tablesWritable = tablesWritable
    self.tablesUser = tablesUser
    self.tablesExecutable = tablesExecutable
    self.leaf = leaf
  }
}
