/// What the 4-byte words of a page say together; a single one says little, since nearly any odd number
/// is a good entry.
struct NarrowWords {
  private var even = 0
  private var odd = 0
  private var zeroFrames = 0
  private var junk = 0
  private var flags: InlineArray<16, UInt64> = .init(repeating: 0)

  /// Flags 11:0 without P, A and D, which differ from entry to entry. **Units** bits.
  private static var flagMask: UInt32 { 0xF9E }

  /// Counts a word.
  mutating func add(_ word: UInt32, at index: Int) {
    if word == 0 { return }
    guard word & 1 != 0 else {
      junk += 1
      return
    }
    if index & 1 == 0 { even += 1 } else { odd += 1 }
    if word < 0x1000 { zeroFrames += 1 }
    // Twelve bits less three, packed: 4:1 and 11:7.
    let bits = word & Self.flagMask
    let packed = Int(bits >> 1 & 15 | bits >> 3 & 0x1F0)
    flags[packed >> 6 & 15] |= 1 << UInt64(packed & 63)
  }

  /// Words with P set. **Units** words.
  var present: Int { even + odd }

  /// Whether they can be entries: few kinds of flags, hardly any other words, page 0 at most once, and
  /// not in every second place only, as 8-byte entries are.
  ///
  /// - Parameters:
  ///   - mostFlags: how many kinds of flags entries may have.
  ///   - mostJunk: how many words that are neither entries nor 0; kernels keep notes in page tables.
  func canBeTable(mostFlags: Int, mostJunk: Int) -> Bool {
    var kinds = 0
    for index in 0..<16 { kinds += flags[index].nonzeroBitCount }
    return kinds <= mostFlags && junk <= mostJunk && zeroFrames <= 1 && (even < 8 || odd > 0)
  }
}
