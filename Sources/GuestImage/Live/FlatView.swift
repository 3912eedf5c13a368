import Paging

/// Where a processor of a running QEMU sees RAM: the flat view of its address space.
///
/// This is what `info mtree -f` prints, so nothing about the machine's layout has to be assumed: not
/// where memory below 4 GiB ends, nor what the firmware has shadowed.
struct FlatView {
  /// A run of one memory region.
  struct Range {
    var first: UInt64
    var last: UInt64
    /// Whether the bytes are the region's own, and not those that a device answers.
    var isMemory: Bool
    var region: Substring
    /// Where in the region the run begins. **Units** bytes.
    var offset: UInt64
  }

  var ranges: [Range] = []

  /// The first view that is listed with this address space, or `nil`.
  init?(of addressSpace: String, in text: String) {
    let wanted = " AS \"\(addressSpace)\""
    var isWanted = false
    for line in text.split(whereSeparator: \.isNewline) {
      if line.hasPrefix("FlatView #") {
        if isWanted { return }
      } else if line.hasPrefix(wanted) {
        isWanted = true
      } else if isWanted, let range = Range(line) {
        ranges.append(range)
      }
    }
    if !isWanted { return nil }
  }
}

extension FlatView.Range {
  /// Reads a line such as `  0000000100000000-000000011fffffff (prio 0, ram): ram0 @00000000c0000000`.
  init?(_ line: Substring) {
    var rest = line.drop { $0 == " " }
    guard let first = Self.number(&rest), rest.popFirst() == "-",
      let last = Self.number(&rest), rest.hasPrefix(" (prio "),
      let comma = rest.firstIndex(of: ","),
      let end = rest[comma...].firstIndex(of: ")"), rest[end...].hasPrefix("): ")
    else { return nil }
    self.first = first
    self.last = last
    isMemory = !rest[rest.index(after: comma)..<end].hasSuffix("i/o")
    rest = rest[end...].dropFirst(3)
    region = rest.prefix { $0 != " " }
    rest = rest.dropFirst(region.count)
    offset = 0
    if rest.hasPrefix(" @") {
      rest = rest.dropFirst(2)
      guard let offset = Self.number(&rest) else { return nil }
      self.offset = offset
    }
  }

  private static func number(_ text: inout Substring) -> UInt64? {
    let digits = text.prefix { $0.isASCII && $0.isHexDigit }
    text = text.dropFirst(digits.count)
    return UInt64(digits, radix: 16)
  }
}
