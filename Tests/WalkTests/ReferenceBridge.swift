import Paging
import TestSupport
import X86
import X86Guest
import X86PAE

/// What the walker says, in the reference's words.
typealias Outcome = ReferenceOutcome

extension X86Registers {
  /// The registers of a reference machine.
  init(_ machine: ReferenceMachine) {
    self.init(
      cr0: CR0(rawValue: machine.cr0), cr3: machine.cr3, cr4: CR4(rawValue: machine.cr4),
      efer: EFER(rawValue: machine.efer), pkru: machine.pkru, pkrs: machine.pkrs)
  }
}

extension X86Features {
  /// The processor of a reference machine.
  init(_ machine: ReferenceMachine) {
    self.init(physicalAddressWidth: machine.width, vendor: machine.isAMD ? .amd : .intel)
    nx = machine.hasNX
    pse = machine.hasPSE
    pse36 = machine.hasPSE36
    gigabytePages = machine.hasGigabytePages
    smep = machine.hasSMEP
    smap = machine.hasSMAP
    pku = machine.hasPKU
    pks = machine.hasPKS
    lam = machine.hasLAM
    lass = machine.hasLASS
    shadowStacks = machine.hasShadowStacks
  }
}

extension X86Regime {
  /// The regime of a reference machine, its PDPTE registers included.
  init(_ machine: ReferenceMachine) {
    let pdptes = machine.pdptes
    self.init(
      X86Registers(machine), X86Features(machine),
      pdptes: PDPTERegisters(pdptes[0], pdptes[1], pdptes[2], pdptes[3]))
  }

  /// One walk, told as the reference tells it.
  func outcome<Strategy: WalkStrategy>(
    _ address: UInt64, _ access: ReferenceAccess, in memory: GuestTestMemory,
    _ strategy: Strategy
  ) -> Outcome {
    Outcome(translate(GVA(address), for: X86Access(access), in: memory, strategy))
  }
}

extension X86Access {
  /// The access of a reference walk.
  init(_ access: ReferenceAccess) {
    let kind: AccessKind =
      switch access.kind {
      case .read: .read
      case .write: .write
      case .fetch: .fetch
      }
    self.init(
      kind, user: access.user, implicit: access.implicit, alignmentCheck: access.ac,
      stack: access.stack, shadowStack: access.shadowStack)
  }
}

extension ReferenceOutcome {
  /// How a walk of the walker ended.
  init(
    _ outcome: Result<
      Translation<GuestPhysical, X86Rights>, WalkFailure<X86Fault, GuestTestMemory.Hole>
    >
  ) {
    switch outcome {
    case .success(let found): self.init(found)
    case .failure(.fault(let fault)): self.init(fault)
    case .failure(.unreadable(let hole, let entry, let level)):
      self =
        hole.address == entry
        ? .unreadable(entry: entry, level: level.rawValue)
        : .unreadable(entry: ~hole.address, level: level.rawValue)
    case .failure(.contended): self = .unreadable(entry: ~0, level: 0)
    }
  }

  /// A translation of the walker.
  init(_ found: Translation<GuestPhysical, X86Rights>) {
    self = .translated(
      ReferenceTranslation(
        pa: found.address.rawValue, pageSize: found.pageSize.bytes, level: found.level.rawValue,
        writable: found.rights.isWritable, user: found.rights.isUser,
        executable: found.rights.isExecutable, tablesWritable: found.tableRights.isWritable,
        tablesUser: found.tableRights.isUser, tablesExecutable: found.tableRights.isExecutable,
        leaf: found.leaf))
  }

  /// A fault of the walker.
  init(_ fault: X86Fault) {
    if fault.vector == 14 {
      self = .pageFault(
        error: fault.errorCode.rawValue, level: fault.level.rawValue,
        cause: fault.cause.description, cr2: fault.address.rawValue)
    } else {
      self = .badAddress(vector: Int(fault.vector), cause: fault.cause.description)
    }
  }
}
