public import Paging

/// What a forecast takes for granted.
public struct ForecastAssumptions: Sendable, Hashable {
  /// How long the guest runs between two looks at the log. **Units** accesses of the trace.
  public var roundLength: Int
  /// The largest page that the host backs the guest's memory with.
  public var backing: PageSize
  /// The entries of a vCPU's dirty ring.
  public var ringSize: Int
  /// The guest's memory, one slot from frame 0. **Units** frames.
  public var frameCount: UInt64

  /// Assumptions.
  public init(roundLength: Int, backing: PageSize, ringSize: Int, frameCount: UInt64) {
    self.roundLength = roundLength
    self.backing = backing
    self.ringSize = ringSize
    self.frameCount = frameCount
  }

  /// All of them, one line each.
  public var lines: [String] {
    [
      "EPT with A and D bits: the processor's reads of guest tables count as writes to them",
      "the guest's memory is one slot of \(frameCount) frames, backed by pages of \(backing)",
      "before the log begins the trace has run once: what it touches is mapped, as large as the"
        + " backing allows, and its A and D bits in the guest's tables are set",
      "the guest's tables stay as the image has them",
      "the vCPUs take turns as in the trace; a round is \(roundLength) accesses, and the log is"
        + " looked at and cleared while none of them is in the guest",
      "all pages are sent once when the log begins; they are not among the pages sent below",
      "rings have \(ringSize) entries; a vCPU with a full one has all rings emptied, its pages sent"
        + " and protected again",
      "nothing else changes the second level meanwhile",
    ]
  }
}
