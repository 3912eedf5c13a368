/// Guest physical memory as it was at one moment: its bytes, the memslots, and what their logs held.
public struct GuestMemorySnapshot: Sendable {
  /// The bytes.
  public let host: HostSnapshot
  let slots: MemslotTable
  let generation: UInt64
  let privateRuns: [Range<UInt64>]
  let logs: [(log: DirtyLog, words: [UInt64])]
}
