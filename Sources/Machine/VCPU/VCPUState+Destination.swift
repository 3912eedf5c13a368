public import MMU
public import Paging

extension VCPUState {
  /// How often one access may exit before it is given up as not getting on.
  @inlinable
  static var exitBudget: Int { 64 }

  /// Where the bytes of an access are.
  @usableFromInline
  enum Destination {
    case memory(HPA, gpa: GPA?, isTLBHit: Bool)
    /// Memory whose writes the MMU must hear of.
    case tracked(HPA, gpa: GPA)
    case mmio(GPA)
    case fault(Guest.Fault)
    case injected(vector: UInt8, errorCode: UInt32)
    /// An exit that a hypervisor inside the guest gets.
    case reflected(ReflectedExit)
    case failed(FaultError)
  }

  /// What the processor is after.
  @usableFromInline
  enum Target {
    /// The bytes at the linear address, which the TLB keeps under this one.
    case linear(cachedAs: GVA?)
    /// The bytes behind it, by the guest physical address that software walked to.
    case physical(GPA, isUser: Bool)
  }

  /// Finds one page's bytes: in the TLB, or by walks and as many exits as it takes.
  @inlinable
  mutating func destination(
    of gva: GVA, for access: Guest.Access, _ exits: inout AccessExits
  ) -> Destination {
    let linear = guest.cachedAddress(of: gva, for: access)
    if let linear, let entry = tlb.lookUp(linear, tag: guest.addressSpaceTag) {
      if permits(access, by: entry, granting: entry.kept),
        watch == nil || isStillCached(entry, for: access, at: gva, cachedAs: linear)
      {
        tlbHits &+= 1
        let offset = gva.offset(in: .size4KiB)
        return .memory(
          entry.hpa.wrappingAdd(offset), gpa: entry.gpa?.wrappingAdd(offset), isTLBHit: true)
      }
      // More is asked than is cached: what is cached goes, and the tables decide.
      tlb.invalidate(.page(linear, tag: guest.addressSpaceTag))
    }
    tlbMisses &+= 1
    return pursue(.linear(cachedAs: linear), of: gva, for: access, &exits)
  }

  /// Walks, and lets the MMU handle what keeps the walk from arriving, until it arrives.
  @inlinable
  mutating func pursue(
    _ target: Target, of gva: GVA, for access: Guest.Access, _ exits: inout AccessExits
  ) -> Destination {
    var lastGPA = GPA(0)
    for _ in 0..<Self.exitBudget {
      let failure: HardwareFailure<Guest.Fault, MMU.Exit>
      switch walk(target, of: gva, for: access) {
      case .success(let destination): return destination
      case .failure(let found): failure = found
      }
      switch failure {
      case .guest(let fault):
        tlb.invalidate(.page(name(of: gva, target), tag: guest.addressSpaceTag))
        return .fault(fault)
      case .contended: continue
      case .modificationLogFull:
        exits[.pmlFull] += 1
        mmu.drainModificationLog(&context)
      case .outside(let hpa):
        exits[.error] += 1
        return .failed(.unbacked(GFN(hpa.frame.rawValue)))
      case .exit(let exit):
        exits[exit.cause] += 1
        if Observer.listens { observer.observe(.exit(exit.cause, exit.description)) }
        let outcome = mmu.handle(exit, on: &context, observer)
        if case .perform(let gpa) = outcome {
          lastGPA = gpa
          // Without entering anew: whoever takes the page away waits until this write is done.
          if let hpa = mmu.memory.hpa(of: gpa, in: mmu.addressSpace(of: context)) {
            return .tracked(hpa, gpa: gpa)
          }
        }
        enter()
        switch outcome {
        case .fixed, .spurious, .retry, .perform: continue
        case .inject(let vector, let errorCode):
          faultAddress = name(of: gva, target)
          return .injected(vector: vector, errorCode: errorCode)
        case .reflect(let exit): return .reflected(exit)
        case .failed(let error):
          exits[error.cause] += 1
          return .failed(error)
        case .emulate(let gpa):
          lastGPA = gpa
          switch target {
          case .linear:
            if let result = emulate(
              gva, for: access, at: exit.isTableAccess ? nil : gpa, &exits)
            {
              return result
            }
          case .physical(let address, let isUser):
            switch mmu.slotAddress(
              of: address, for: access.kind, isUser: isUser, gva: gva, on: context)
            {
            case .success(let place): if place.frame == gpa.frame { return .mmio(place) }
            case .failure(let exit): return .reflected(exit)
            }
          }
          // The tables lead elsewhere by now: nothing that is cached of the address may stay.
          mmu.invalidatePage(name(of: gva, target), on: &context, observer)
        }
      }
    }
    exits[.error] += 1
    return .failed(.livelock(lastGPA))
  }

  /// The linear address as the TLB and CR2 have it.
  @inlinable
  func name(of gva: GVA, _ target: Target) -> GVA {
    if case .linear(let linear?) = target { return linear }
    return gva
  }

  /// One walk of the processor; what it finds for a linear address is cached.
  @inlinable
  mutating func walk(
    _ target: Target, of gva: GVA, for access: Guest.Access
  ) -> Result<Destination, HardwareFailure<Guest.Fault, MMU.Exit>> {
    switch target {
    case .linear(let linear):
      switch mmu.walk(gva, for: access, by: guest, on: &context) {
      case .failure(let failure): return .failure(failure)
      case .success(let found):
        if let linear {
          let entry = TLBEntry(
            found, tag: guest.addressSpaceTag, isGlobal: guest.isGlobal(leaf: found.leaf),
            isSealed: watch != nil)
          let place = tlb.insert(entry, for: linear)
          if watch != nil,
            !noteFill(entry, at: place, for: access, gva: gva, cachedAs: linear)
          {
            return .failure(.contended)
          }
        }
        return .success(.memory(found.hpa, gpa: found.gpa, isTLBHit: false))
      }
    case .physical(let gpa, let isUser):
      switch mmu.walk(gpa, access.kind, isUser: isUser, for: gva, on: &context) {
      case .failure(let failure): return .failure(failure.widened())
      case .success(let hpa):
        switch mmu.slotAddress(
          of: gpa, for: access.kind, isUser: isUser, gva: gva, on: context)
        {
        case .success(let place):
          return .success(
            hpa.map { .memory($0, gpa: place, isTLBHit: false) } ?? .mmio(place))
        case .failure(let exit): return .success(.reflected(exit))
        }
      }
    }
  }

  /// Finds what an access that the MMU cannot map is about, by the guest's own tables: the bytes at
  /// `gpa`, or a table entry there that nobody can read (SPEC W14).
  ///
  /// - Parameter gpa: the address to be emulated; `nil` where the hardware could not use a table
  ///   entry, so that software walks for it (tables in a read-only slot, SPEC W11).
  /// - Returns: `nil` where the tables lead elsewhere by now, so that the access is tried again.
  @inlinable
  @inline(never)
  mutating func emulate(
    _ gva: GVA, for access: Guest.Access, at gpa: GPA?, _ exits: inout AccessExits
  ) -> Destination? {
    let view = mmu.view(for: context, marking: true, gva: gva)
    switch guest.translate(gva, for: access, in: view, Commit()) {
    case .success(let translation):
      let isUser = guest.permissions(of: translation.rights).contains(.user)
      guard let gpa else {
        return pursue(
          .physical(translation.address, isUser: isUser), of: gva, for: access, &exits)
      }
      switch mmu.slotAddress(
        of: translation.address, for: access.kind, isUser: isUser, gva: gva, on: context)
      {
      case .success(let place): return place.frame == gpa.frame ? .mmio(place) : nil
      case .failure(let exit): return .reflected(exit)
      }
    case .failure(.fault(let fault)): return .fault(fault)
    case .failure(.unreadable(let failure, _, let level)):
      if let exit = failure.reflected { return .reflected(exit) }
      return .fault(guest.faultForUnreadableTable(gva, for: access, at: level))
    case .failure(.contended): return nil
    }
  }
}
