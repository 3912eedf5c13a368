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
