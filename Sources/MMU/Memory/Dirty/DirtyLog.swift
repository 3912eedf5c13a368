/// Which pages of a slot were written: one bit a frame, set by many threads.
public final class DirtyLog: Sendable {
  /// **Units** frames.
  public let frameCount: UInt64
  /// How writes are found.
  public let method: DirtyMethod
  /// Whether marks go to the writing vCPU's ring; the bitmap then has what no vCPU wrote.
  public let usesRings: Bool
  private let marks: FrameBits

  /// The most frames a log covers: 1 TiB of memory. **Units** frames.
  public static var largestFrameCount: UInt64 { 1 << 28 }

  /// A log of clean pages, or of dirty ones.
  ///
  /// - Returns: `nil` above `largestFrameCount`.
  public init?(
    frameCount: UInt64, method: DirtyMethod, isInitiallySet: Bool = false, usesRings: Bool = false
  ) {
    guard frameCount <= Self.largestFrameCount else { return nil }
    self.frameCount = frameCount
    self.method = method
    self.usesRings = usesRings
    marks = FrameBits(frameCount: frameCount, areSet: isInitiallySet)
  }

  /// **Units** words of 64 frames.
  public var wordCount: Int { marks.wordCount }

  /// Marks frames of the slot, counted from its first; those past the end are ignored.
  @usableFromInline
  func mark(_ first: UInt64, count: UInt64 = 1) { marks.set(first, count: count) }

  /// Records a write: in a vCPU's ring where rings are used, it has room and one frame was written,
  /// else in the bitmap.
  ///
  /// - Parameter slot: the number of the log's slot, for the ring.
  func markDirty(_ first: UInt64, count: UInt64, slot: Int, by ring: DirtyRing?) {
    if usesRings, let ring, count == 1, ring.push(DirtyRingEntry(slot: slot, offset: first)) {
      return
    }
    mark(first, count: count)
  }

  /// Takes marks away.
  ///
  /// - Returns: those that were there.
  @usableFromInline
  func take(_ mask: UInt64, at index: Int) -> UInt64 { marks.take(mask, at: index) }

  /// Whether a frame of the slot is marked.
  func isMarked(_ frame: UInt64) -> Bool { marks.contains(frame) }

  /// Puts other marks in the place of those there are. **Requires** as many words as the log has.
  func replaceMarks(by words: [UInt64]) { marks.replace(by: words) }

  /// The marks as they are, bit 0 of word 0 for the first frame.
  @usableFromInline
  var snapshot: [UInt64] { marks.snapshot }
}

extension DirtyLog: Hashable {
  /// A log is equal to itself alone.
  public static func == (left: DirtyLog, right: DirtyLog) -> Bool { left === right }
  /// By identity.
  public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
