public import Paging
import Synchronization

extension ShadowMMU {
  /// Takes the guest's new state: the root that belongs to it, and tables brought in step where the
  /// processor drops translations (SPEC F6, F14).
  @inlinable
  func guestChanged(
    _ guest: Guest, dropping scope: TLBInvalidation, on cpu: inout CPU,
    _ observer: borrowing some MMUObserver
  ) {
    locked(&cpu, observer) { cpu in
      refreshSlots()
      switch scope {
      case .nothing, .page: break
      case .nonGlobals, .allNonGlobals, .everything: syncAll()
      }
      adopt(guest, on: &cpu)
    }
  }

  /// Brings the vCPU's roots up to date; true where its TLB must be emptied.
  @inlinable
  public func enter(_ cpu: inout CPU) -> Bool {
    announce(&cpu)
    let now = cpu.insideEpoch
    if now == cpu.epoch, !cpu.needsFlush { return false }
    follow(now, on: &cpu)
    return true
  }

  @inlinable
  func announce(_ cpu: inout CPU) {
    cpu.insideEpoch = walkers.enter(cpu.place, FreeRunning())
  }

  @inlinable
  func follow(_ now: UInt64, on cpu: inout CPU) {
    cpu.epoch = now
    locked(&cpu, NoObserver()) { cpu in
      if let root = cpu.current, registry.page(at: root.page)?.isInvalid != false {
        cpu.current = nil
        release(root)
        if let guest = cpu.guest { adopt(guest, on: &cpu) }
      }
      var index = cpu.previous.count
      while index > 0 {
        index -= 1
        let root = cpu.previous[index]
        if registry.page(at: root.page)?.isInvalid == false { continue }
        cpu.previous.remove(at: index)
        release(root)
      }
    }
    cpu.needsFlush = false
  }

  /// Whether the vCPU has seen all invalidations.
  public func isCurrent(_ cpu: CPU) -> Bool {
    let now = walkers.epoch.load(ordering: .acquiring)
    return now == cpu.epoch && now == cpu.insideEpoch && !cpu.needsFlush
  }

  /// The epoch at which the vCPU came inside.
  public func stay(of cpu: CPU) -> UInt64 { cpu.insideEpoch }

  /// Announces that the vCPU is outside.
  @inlinable
  public func exit(_ cpu: inout CPU) {
    cpu.insideEpoch = 0
    walkers.exit(cpu.place, FreeRunning())
  }

  /// Gives up the vCPU's roots.
  public func leave(_ cpu: inout CPU) {
    exit(&cpu)
    walkers.unregister(cpu.place)
    locked(&cpu, NoObserver()) { cpu in
      for root in cpu.previous { release(root) }
      if let root = cpu.current { release(root) }
      cpu.previous = []
      cpu.current = nil
      cpu.hardware = nil
    }
  }

  /// Moves the vCPU to the root of the guest's state: the one in use, one of the last three, or
  /// another.
  @inlinable
  func adopt(_ guest: Guest, on cpu: inout CPU) {
    let key = rootKey(of: guest, in: cpu.space)
    cpu.guest = guest
    cpu.rules = guest.shadowRules
    defer {
      cpu.hardware = cpu.current.map {
        guest.hardware(
          root: $0.page.baseAddress, encryptionMask: encoder.layout.masks.encryption)
      }
    }
    if let current = cpu.current {
      if current.key == key { return }
      // Entries of another role may grant what this one does not.
      if current.key.role != key.role { cpu.needsFlush = true }
    }
    let last = cpu.current
    cpu.current = nil
    cpu.lastMMIO = nil
    if let root = cpu.take(key, leaving: last) {
      cpu.current = root
    } else if makePagesAvailable(Self.pagesPerRoot, on: &cpu), let page = rootPage(key) {
      // Its tables may have missed an INVLPG while this vCPU did not hold it.
      syncAll()
      page.facts.rootCount += 1
      cpu.current = ShadowRoot(key: key, page: page.pfn)
    }
    while cpu.previous.count > CPU.previousRoots { release(cpu.previous.removeLast()) }
  }

  @inlinable static var pagesPerRoot: Int { 1 }

  @inlinable
  func rootKey(of guest: Guest, in space: AddressSpace) -> ShadowRootKey {
    let entries = guest.entries
    let rules = guest.shadowRules
    var role = ShadowRole(level: entries.shadowLevels, format: number(of: entries))
    role.writeProtect = rules.writeProtect
    role.smepWithoutWP = rules.smep && !rules.writeProtect
    role.smapWithoutWP = rules.smap && !rules.writeProtect
    role.isNested = rules.isNested
    role.space = space
    role.marksEntries = rules.marksEntries
    let root = guest.tableRoot
    role.isDirect = root == .none
    let isDummy = root.table.map { state.slots[space.rawValue].slot(for: $0.frame)?.host == nil }
    role.isTop = !role.isDirect && (entries.topLevel != role.level || isDummy == true)
    return ShadowRootKey(
      root: root, role: role, tag: guest.addressSpaceTag, isDummy: isDummy ?? false)
  }

  /// The number of a format, the same for equal ones.
  @inlinable
  func number(of entries: Guest.Entries) -> Int {
    for index in state.formats.indices where state.formats[index] == entries { return index }
    state.formats.append(entries)
    return state.formats.count - 1
  }

  @inlinable
  func rootPage(_ key: ShadowRootKey) -> ShadowPage? {
    let frame = key.root.table?.frame ?? GFN(0)
    guard key.role.isTop else { return page(frame, key.role) }
    var key = key
    key.tag = 0
    if let page = state.topRoots[key] { return page }
    let page = makePage(frame, key.role)
    state.topRoots[key] = page
    return page
  }

  /// Gives back a reference on a root.
  @inlinable
  func release(_ root: ShadowRoot) {
    guard let page = registry.page(at: root.page) else { return }
    page.facts.rootCount -= 1
    guard page.facts.rootCount == 0 else { return }
    if page.isInvalid {
      free(page)
    } else if page.role.isTop {
      zap(page, .unused)
    }
  }

  /// The space whose slots the vCPU sees.
  public func addressSpace(of cpu: CPU) -> AddressSpace { cpu.space }

  /// Moves the vCPU to another space: to its roots, its slots and its generation (SPEC T2).
  public func move(_ cpu: inout CPU, to space: AddressSpace) -> Bool {
    guard space == .normal || memory.hasSystemManagement else { return false }
    if space == cpu.space { return true }
    locked(&cpu, NoObserver()) { cpu in
      refreshSlots()
      cpu.space = space
      cpu.lastMMIO = nil
      cpu.needsFlush = true
      if let guest = cpu.guest { adopt(guest, on: &cpu) }
    }
    return true
  }
}
