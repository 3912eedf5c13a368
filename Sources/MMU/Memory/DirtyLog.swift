import Synchronization

/// How a slot's writes are found (SPEC T3).
public enum DirtyMethod: String, Sendable, Hashable, CaseIterable {
  /// Leaves lose W; the fault of the first write marks the page.
  case writeProtect = "write-protect"
  /// Hardware sets D; a look at the log collects it. Needs an encoder with D.
  case dirtyBit = "dirty-bit"
  /// Hardware sets D and logs the address. Needs an encoder with D.
  case pageModificationLog = "pml"
}

/// Which pages of a slot were written: one bit a frame, set by many threads.
@safe
public final class DirtyLog: @unchecked Sendable {
  /// **Units** frames.
  public let frameCount: UInt64
  /// How writes are found.
  public let method: DirtyMethod
  /// Whether marks go to the writing vCPU's ring; the bitmap then has what no vCPU wrote.
  public let usesRings: Bool
  private let words: UnsafeMutableBufferPointer<UInt64>

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
    let count = Int((frameCount + 63) / 64)
    unsafe words = .allocate(capacity: count)
    unsafe words.initialize(repeating: isInitiallySet ? ~0 : 0)
    let rest = frameCount % 64
    if isInitiallySet, rest != 0 { unsafe words[count - 1] = (1 << rest) - 1 }
  }

  deinit { unsafe words.deallocate() }

  /// **Units** words of 64 frames.
  public var wordCount: Int { unsafe words.count }

  // SAFETY: the words live as long as the log, and are accessed through atomics alone.
  private func atomic(_ index: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
    guard let base = unsafe words.baseAddress else {
      preconditionFailure("an allocated buffer has an address")
    }
    return unsafe UnsafeMutableRawPointer(base + index)
      .assumingMemoryBound(to: Atomic<UInt64>.self)
  }

  /// Marks frames of the slot, counted from its first; those past the end are ignored.
  @usableFromInline
  func mark(_ first: UInt64, count: UInt64 = 1) {
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

  /// Takes marks away.
  ///
  /// - Returns: those that were there.
  func take(_ mask: UInt64, at index: Int) -> UInt64 {
    // SAFETY: checked here.
    guard index >= 0, index < wordCount else { return 0 }
    if unsafe atomic(index).pointee.load(ordering: .acquiring) & mask == 0 { return 0 }
    return unsafe atomic(index).pointee
      .bitwiseAnd(~mask, ordering: .acquiringAndReleasing).oldValue & mask
  }

  /// Whether a frame of the slot is marked.
  func isMarked(_ frame: UInt64) -> Bool {
    guard frame < frameCount else { return false }
    // SAFETY: checked here.
    return unsafe atomic(Int(frame / 64)).pointee.load(ordering: .acquiring) >> (frame % 64) & 1
      != 0
  }

  /// Puts other marks in the place of those there are. **Requires** as many words as the log has.
  func replaceMarks(by marks: [UInt64]) {
    // SAFETY: checked here.
    for (index, word) in marks.enumerated() where index < wordCount {
      unsafe atomic(index).pointee.store(word, ordering: .releasing)
    }
  }

  /// The marks as they are, bit 0 of word 0 for the first frame.
  var snapshot: [UInt64] {
    (0..<wordCount).map { unsafe atomic($0).pointee.load(ordering: .acquiring) }
  }
}

extension DirtyLog: Hashable {
  /// A log is equal to itself alone.
  public static func == (left: DirtyLog, right: DirtyLog) -> Bool { left === right }
  /// By identity.
  public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
