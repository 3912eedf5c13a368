import MMU
import Paging
import X86
import X86Guest

/// What a processor's TLB may hold: the reference that walks the guest's tables afresh.
///
/// For each vCPU and address every translation that was good at some time since the last invalidation
/// of it, by the manual's rules; the walk of this moment is always allowed.
///
/// **Source** Intel SDM Vol. 3A, "Caching Translation Information".
struct TLBReference {
  struct Walked: Equatable {
    var steps: [WalkStep]
    var gpa: GPA?
    var rights: X86Rights?
    var tableRights: X86Rights?
    var leaf: UInt64 = 0
  }

  let addresses: [UInt64]
  private var stale: [[UInt64: [Walked]]]

  init(addresses: [UInt64], vcpus: Int) {
    self.addresses = addresses
    stale = Array(repeating: [:], count: vcpus)
  }

  static func walk(_ gva: UInt64, _ guest: X86Processor, _ memory: GuestMemory) -> Walked {
    var recording = Recording(Probe())
    switch guest.translate(GVA(gva), for: .read, in: memory.view, &recording) {
    case .success(let found):
      return Walked(
        steps: recording.steps, gpa: found.address, rights: found.rights,
        tableRights: found.tableRights, leaf: found.leaf)
    case .failure: return Walked(steps: recording.steps)
    }
  }

  /// Everything walked, to be compared after tables were written.
  func snapshot(_ guests: [X86Processor], _ memory: GuestMemory) -> [[Walked]] {
    guests.map { guest in addresses.map { Self.walk($0, guest, memory) } }
  }

  /// Keeps what a write made stale.
  ///
  /// - Parameter written: the page whose own walk made the write: it was marked before the write landed,
  ///   perhaps on the very entry that was marked.
  mutating func note(
    _ before: [[Walked]], _ guests: [X86Processor], _ memory: GuestMemory,
    written: UInt64? = nil
  ) {
    for (vcpu, guest) in guests.enumerated() {
      for (index, address) in addresses.enumerated() {
        var old = before[vcpu][index]
        guard old.gpa != nil, old != Self.walk(address, guest, memory) else { continue }
        if written == address { old.leaf |= 0x60 }
        stale[vcpu][address, default: []].append(old)
      }
    }
  }

  /// Translations from before that a vCPU may still use for an address.
  func stale(_ vcpu: Int, _ gva: UInt64) -> [Walked] { stale[vcpu][gva & ~0xFFF] ?? [] }

  mutating func invalidate(_ vcpu: Int, page gva: UInt64) { stale[vcpu][gva & ~0xFFF] = nil }

  mutating func invalidate(_ vcpu: Int) { stale[vcpu] = [:] }
}
