/// Guest physical memory as it was at one moment: its bytes, the memslots, and what their logs held.
public struct GuestMemorySnapshot: Sendable {
  /// The bytes.
  public let host: HostSnapshot
  let slots: GuestMemory.SavedSlots
  let privateRuns: [Range<UInt64>]
  let logs: [(log: DirtyLog, words: [UInt64])]
  let missing: [(pages: MissingPages, words: [UInt64])]
}
