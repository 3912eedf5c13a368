import Paging

/// What one vCPU keeps beside its TLB, so that its hits can be checked.
@usableFromInline
struct TranslationWatch {
  /// What was so when a place of the TLB was filled.
  struct Fill {
    /// The ledger's time.
    var time: UInt64
    /// The memslots' frame.
    var frame: GFN?
    /// What the guest's tables granted.
    var permissions: Permissions
    /// What the guest's leaf chose, as an entry of IA32_PAT.
    var memoryType: Int
    /// The bits in which the host's leaf says the memory type; `nil` where it does not.
    var hostMemoryType: UInt64?
  }

  /// The machine's.
  let ledger: TranslationLedger
  /// The vCPU's number.
  let vcpu: Int
  /// One for each place of the TLB.
  var fills: [Fill?]

  init(_ ledger: TranslationLedger, vcpu: Int, places: Int) {
    self.ledger = ledger
    self.vcpu = vcpu
    fills = Array(repeating: nil, count: places)
  }
}
