public import GuestImage
public import Paging

/// A search for bytes through the page tables: matches may cross pages that follow each other.
public struct VirtualSearch: Sendable {
  /// A place where the bytes are.
  public struct Match: Hashable, Sendable {
    /// The first address.
    public let gva: GVA
    /// What the page of the first byte grants.
    public let permissions: Permissions
  }

  /// How a search ended.
  public enum End: Hashable, Sendable {
    /// Everything was searched.
    case finished
    /// Enough matches were found.
    case enough
    /// The tables map the image so often that the rest was left out.
    case exhausted
  }

  /// What is searched; never empty.
  public let pattern: [UInt8]
  /// Whether supervisor pages are left out.
  public let isUserOnly: Bool

  /// A search. **Requires** a pattern that is not empty.
  public init(for pattern: [UInt8], userOnly: Bool = false) {
    precondition(!pattern.isEmpty)
    self.pattern = pattern
    isUserOnly = userOnly
  }

  /// **Units** bytes read at a time.
  private static var pieceSize: UInt64 { 1 << 20 }

  /// How often the image's own size is searched before hostile tables are given up on.
  private static var mostTimes: UInt64 { 64 }

  /// Searches pages in the order in which they are listed.
  ///
  /// - Parameters:
  ///   - pages: in address order.
  ///   - progress: called now and then with the share of the pages that is done, 0...1.
  ///   - found: called with each match in address order; false ends the search.
  /// - Complexity: bounded by 64 times the image's size.
  public func run<Failure: Error>(
    _ pages: [MappedPage], in image: GuestImage, progress: (Double) -> Void = { _ in },
    _ found: (Match) throws(Failure) -> Bool
  ) throws(Failure) -> End {
    let (times, overflow) = image.memorySize.multipliedReportingOverflow(by: Self.mostTimes)
    var budget = overflow ? UInt64.max : max(times, 1 << 30)
    var window = SearchWindow(pattern)
    for (number, page) in pages.enumerated() {
      if number & 0xFFF == 0 { progress(Double(number) / Double(pages.count)) }
      if isUserOnly, !page.permissions.contains(.user) { continue }
      var offset: UInt64 = 0
      while offset < page.size.bytes {
        let gpa = page.gpa.wrappingAdd(offset)
        let held = image.heldBytes(
          from: gpa, upTo: min(page.size.bytes - offset, Self.pieceSize))
        guard held > 0 else {
          guard let next = image.firstHeld(from: gpa), next > gpa else { break }
          offset += next.rawValue - gpa.rawValue
          continue
        }
        guard held <= budget else { return .exhausted }
        budget -= held
        guard case .success(let bytes) = image.read(gpa, count: Int(held)) else { break }
        let matches = window.add(bytes, at: page.start.wrappingAdd(offset), page.permissions)
        for match in matches where try !found(match) { return .enough }
        offset += held
      }
    }
    return .finished
  }
}

/// The last bytes before a piece, so that matches across pieces are seen.
private struct SearchWindow {
  let pattern: [UInt8]
  /// Fewer bytes than the pattern has, which end at `end`.
  var tail: [UInt8] = []
  /// What the page of each of those bytes grants.
  var tailPermissions: [Permissions] = []
  var end: GVA?

  init(_ pattern: [UInt8]) { self.pattern = pattern }

  /// Takes the next piece and tells the matches that end in it.
  mutating func add(
    _ bytes: [UInt8], at gva: GVA, _ permissions: Permissions
  ) -> [VirtualSearch.Match] {
    if end != gva {
      tail = []
      tailPermissions = []
    }
    let joined = tail + bytes
    let start = gva.wrappingAdd(0 &- UInt64(tail.count))
    var matches: [VirtualSearch.Match] = []
    for place in Self.places(of: pattern, in: joined) {
      matches.append(
        VirtualSearch.Match(
          gva: start.wrappingAdd(UInt64(place)),
          permissions: place < tail.count ? tailPermissions[place] : permissions))
    }
    let kept = min(pattern.count - 1, joined.count)
    let known = tailPermissions + Array(repeating: permissions, count: min(kept, bytes.count))
    tail = Array(joined.suffix(kept))
    tailPermissions = Array(known.suffix(kept))
    end = gva.wrappingAdd(UInt64(bytes.count))
    return matches
  }

  private static func places(of pattern: [UInt8], in bytes: [UInt8]) -> [Int] {
    guard bytes.count >= pattern.count else { return [] }
    var places: [Int] = []
    let first = pattern[0]
    let last = bytes.count - pattern.count
    let (haystack, needle) = (bytes.span, pattern.span)
    var place = 0
    while place <= last {
      if haystack[place] == first {
        var index = 1
        while index < needle.count, haystack[place + index] == needle[index] { index += 1 }
        if index == needle.count { places.append(place) }
      }
      place += 1
    }
    return places
  }
}
