/// Guest frames by their numbers, of which what goes through tables looks at these alone.
@usableFromInline
protocol FrameSet {
  /// The first frame of the set that is not before a given one, or `nil` where none is left.
  func first(from frame: UInt64) -> UInt64?
}

extension Range: FrameSet where Bound == UInt64 {
  @inlinable
  func first(from frame: UInt64) -> UInt64? {
    let frame = Swift.max(frame, lowerBound)
    return frame < upperBound ? frame : nil
  }
}

/// The frames of a slot that are marked in words as a dirty log has them.
@usableFromInline
struct MarkedFrames: FrameSet {
  /// The frame of bit 0 of word 0.
  @usableFromInline let base: UInt64
  @usableFromInline let words: [UInt64]

  @inlinable
  init(_ words: [UInt64], from base: UInt64) {
    self.words = words
    self.base = base
  }

  @inlinable
  func first(from frame: UInt64) -> UInt64? {
    let offset = frame < base ? 0 : frame &- base
    guard offset / 64 < UInt64(words.count) else { return nil }
    var index = Int(truncatingIfNeeded: offset / 64)
    var word = words[index] & (~0 &<< (offset % 64))
    while word == 0 {
      index += 1
      guard index < words.count else { return nil }
      word = words[index]
    }
    return base &+ UInt64(index) &* 64 &+ UInt64(word.trailingZeroBitCount)
  }
}
