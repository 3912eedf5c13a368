/// One entry of a dirty ring.
public struct DirtyRingEntry: Sendable, Hashable {
  /// The slot's number.
  public let slot: Int
  /// The frame, counted from the slot's first.
  public let offset: UInt64
}
