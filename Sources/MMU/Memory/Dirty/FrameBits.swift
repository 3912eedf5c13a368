import Synchronization

/// One bit for each frame of a slot, set and taken by many threads.
@safe
final class FrameBits: @unchecked Sendable {
  /// **Units** frames.
  let frameCount: UInt64
  private let words: UnsafeMutableBufferPointer<UInt64>

  /// Bits that are all clear, or all set.
  init(frameCount: UInt64, areSet: Bool) {
    self.frameCount = frameCount
    let count = Int((frameCount + 63) / 64)
    unsafe words = .allocate(capacity: count)
    unsafe words.initialize(repeating: areSet ? ~0 : 0)
    let rest = frameCount % 64
    if areSet, rest != 0 { unsafe words[count - 1] = (1 << rest) - 1 }
  }

  deinit { unsafe words.deallocate() }

  /// **Units** words of 64 frames.
  var wordCount: Int { unsafe words.count }

  // SAFETY: the words live as long as their owner, and are accessed through atomics alone.
  private func atomic(_ index: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
    guard let base = unsafe words.baseAddress else {
      preconditionFailure("an allocated buffer has an address")
    }
    return unsafe UnsafeMutableRawPointer(base + index)
      .assumingMemoryBound(to: Atomic<UInt64>.self)
  }

  /// Sets bits of frames; those past the end are ignored.
  func set(_ first: UInt64, count: UInt64 = 1) {
    guard first < frameCount else { return }
    let end = min(first &+ min(count, frameCount), frameCount)
    var frame = first
    while frame < end {
      let bits = min(64 - frame % 64, end - frame)
      let mask = ((~0 as UInt64) >> (64 - bits)) << (frame % 64)
      unsafe atomic(Int(frame / 64)).pointee.bitwiseOr(mask, ordering: .acquiringAndReleasing)
      frame += bits
    }
  }

  /// Clears bits of a word.
  ///
  /// - Returns: those that were set.
  func take(_ mask: UInt64, at index: Int) -> UInt64 {
    // SAFETY: checked here.
    guard index >= 0, index < wordCount else { return 0 }
    if unsafe atomic(index).pointee.load(ordering: .acquiring) & mask == 0 { return 0 }
    return unsafe atomic(index).pointee
      .bitwiseAnd(~mask, ordering: .acquiringAndReleasing).oldValue & mask
  }

  /// Whether a frame's bit is set; not for one past the end.
  func contains(_ frame: UInt64) -> Bool {
    guard frame < frameCount else { return false }
    // SAFETY: checked here.
    return unsafe atomic(Int(frame / 64)).pointee.load(ordering: .acquiring) >> (frame % 64) & 1
      != 0
  }

  /// The bits as they are, bit 0 of word 0 for the first frame.
  var snapshot: [UInt64] {
    (0..<wordCount).map { unsafe atomic($0).pointee.load(ordering: .acquiring) }
  }

  /// Puts other bits in the place of those there are; words past the end are ignored.
  func replace(by bits: [UInt64]) {
    // SAFETY: checked here.
    for (index, word) in bits.enumerated() where index < wordCount {
      unsafe atomic(index).pointee.store(word, ordering: .releasing)
    }
  }
}
