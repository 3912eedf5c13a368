package import MMU
package import Paging
package import X86
package import X86Guest

/// What a processor's TLB may hold: the reference that walks the guest's tables afresh.
///
/// For each vCPU and page every translation that was good at some time since the last invalidation of
/// it, by the manual's rules; the walk of this moment is always allowed. Only the pages whose walks
/// read what a write changes are walked again.
///
/// **Source** Intel SDM Vol. 3A, "Caching Translation Information".
package struct TLBReference {
  /// A walk of the guest's tables, and what it came to.
  package struct Walked: Equatable {
    package var steps: [WalkStep]
    package var gpa: GPA?
    package var rights: X86Rights?
    package var tableRights: X86Rights?
    package var leaf: UInt64 = 0
  }

  /// A page whose walk reads what is about to be written, and the walk before that.
  package struct Concerned {
    let vcpu: Int
    let page: Int
    let before: Walked
  }

  private let pages: [UInt64]
  private let numbers: [UInt64: Int]
  private let entrySize: UInt64
  /// The entries that each vCPU's walk of each page reads.
  private var entries: [[[UInt64]]]
  private var stale: [[[Walked]]]

  /// - Parameter pages: the first addresses of all pages that the guest may use.
  package init(pages: [UInt64], entrySize: Int, vcpus: Int) {
    self.pages = Array(Set(pages)).sorted()
    numbers = Dictionary(
      uniqueKeysWithValues: self.pages.enumerated().map { ($0.element, $0.offset) })
    self.entrySize = UInt64(entrySize)
    entries = Array(repeating: Array(repeating: [], count: self.pages.count), count: vcpus)
    stale = entries.map { $0.map { _ in [] } }
  }

  /// Walks for an address without side effects and without judging.
  package static func walk(
    _ gva: UInt64, _ guest: X86Processor, _ memory: GuestMemory
  ) -> Walked {
    var recording = Recording(Probe())
    switch guest.translate(GVA(gva), for: .read, in: memory.view, &recording) {
    case .success(let found):
      return Walked(
        steps: recording.steps, gpa: found.address, rights: found.rights,
        tableRights: found.tableRights, leaf: found.leaf)
    case .failure: return Walked(steps: recording.steps)
    }
  }

  /// Walks every page again, after a vCPU's register changed: what that alone makes otherwise, as new
  /// contents of PAE's registers without a flush, may still be used.
  package mutating func follow(
    _ vcpu: Int, from before: X86Processor, to guest: X86Processor, _ memory: GuestMemory
  ) {
    for page in pages.indices {
      let old = Self.walk(pages[page], before, memory)
      let now = Self.walk(pages[page], guest, memory)
      entries[vcpu][page] = now.steps.map(\.entryAddress)
      if old != now { keep(old, vcpu, page) }
    }
  }

  /// Walks every page again, after memslots changed.
  package mutating func follow(_ vcpu: Int, _ guest: X86Processor, _ memory: GuestMemory) {
    for page in pages.indices {
      entries[vcpu][page] = Self.walk(pages[page], guest, memory).steps.map(\.entryAddress)
    }
  }

  /// The pages that a write to one of these ranges concerns, walked before it happens.
  package func concerned(
    by writes: [Range<UInt64>], _ guests: [X86Processor], _ memory: GuestMemory
  ) -> [Concerned] {
    var found: [Concerned] = []
    for (vcpu, guest) in guests.enumerated() {
      for page in pages.indices {
        let reads = entries[vcpu][page].contains { entry in
          writes.contains { $0.lowerBound < entry + entrySize && entry < $0.upperBound }
        }
        guard reads else { continue }
        found.append(
          Concerned(vcpu: vcpu, page: page, before: Self.walk(pages[page], guest, memory)))
      }
    }
    return found
  }

  /// Keeps what a write made stale.
  ///
  /// - Parameter writer: the vCPU and the page whose own walk made the write: its leaf was marked
  ///   before the write landed, perhaps on the very entry that was marked, and that other pages may
  ///   have in common.
  package mutating func note(
    _ concerned: [Concerned], _ guests: [X86Processor], _ memory: GuestMemory,
    writer: (vcpu: Int, page: UInt64)? = nil
  ) {
    let marked = concerned.first { $0.vcpu == writer?.vcpu && pages[$0.page] == writer?.page }?
      .before.steps.last?.entryAddress
    for one in concerned {
      let now = Self.walk(pages[one.page], guests[one.vcpu], memory)
      entries[one.vcpu][one.page] = now.steps.map(\.entryAddress)
      guard one.before != now else { continue }
      var old = one.before
      if let marked, old.steps.last?.entryAddress == marked { old.leaf |= 0x60 }
      keep(old, one.vcpu, one.page)
    }
  }

  private mutating func keep(_ old: Walked, _ vcpu: Int, _ page: Int) {
    if old.gpa != nil, !stale[vcpu][page].contains(old) { stale[vcpu][page].append(old) }
  }

  /// Translations from before that a vCPU may still use for an address.
  package func stale(_ vcpu: Int, _ gva: UInt64) -> [Walked] {
    numbers[gva & ~0xFFF].map { stale[vcpu][$0] } ?? []
  }

  package mutating func invalidate(_ vcpu: Int, page gva: UInt64) {
    if let page = numbers[gva & ~0xFFF] { stale[vcpu][page] = [] }
  }

  package mutating func invalidate(_ vcpu: Int) {
    for page in pages.indices { stale[vcpu][page] = [] }
  }
}
