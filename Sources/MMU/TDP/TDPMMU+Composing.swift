public import Paging

extension TDPMMU {
  /// An MMU over memory that is made for it.
  ///
  /// - Throws: `CompositionError` where the layout is not possible, or does not fit the addresses that
  ///   the encoder's entries can hold.
  public convenience init(
    encoder: Encoder, policy: Policy, memory layout: GuestMemoryLayout
  ) throws(CompositionError) {
    let width = encoder.layout.physicalAddressWidth
    let name = encoder.layout.name
    for slot in layout.slots {
      let last = slot.gpa.rawValue.addingReportingOverflow(max(slot.byteCount, 1) - 1)
      guard !last.overflow, last.partialValue >> UInt64(clamping: width) == 0 else {
        throw .beyondAddressWidth(slot.gpa, encoder: name, width: width)
      }
    }
    let (memory, tables) = try layout.make()
    guard (memory.host.byteCount - 1) >> UInt64(clamping: width) == 0 else {
      throw .hostBeyondAddressWidth(
        byteCount: memory.host.byteCount, encoder: name, width: width)
    }
    do {
      try self.init(encoder: encoder, policy: policy, memory: memory, pool: tables)
    } catch {
      throw .mmu(error)
    }
  }
}

extension TDPMMU where Policy == DefaultPolicy {
  /// An MMU that nobody meddles with, over memory that is made for it.
  ///
  /// - Throws: as the initialiser with a policy.
  public convenience init(
    encoder: Encoder, memory layout: GuestMemoryLayout
  ) throws(CompositionError) {
    try self.init(encoder: encoder, policy: DefaultPolicy(), memory: layout)
  }
}
