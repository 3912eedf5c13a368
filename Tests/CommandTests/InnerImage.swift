import GuestImage
import Paging

/// The memory of a hypervisor that runs one guest, written word by word or from a guest's own image.
struct InnerImage {
  /// The kinds of second level that are built.
  enum Kind: String, CaseIterable {
    case ept4, ept5, nptLong4, nptLong5, nptPAE

    var isEPT: Bool { self == .ept4 || self == .ept5 }

    /// How many levels lie above the page directory.
    fileprivate var levelsAbove: Int {
      switch self {
      case .nptPAE: 1
      case .ept4, .nptLong4: 2
      case .ept5, .nptLong5: 3
      }
    }
  }

  let kind: Kind
  private(set) var pages: [UInt64: [UInt8]] = [:]
  private var nextTable: UInt64 = 0x100_0000
  private let top: UInt64

  init(_ kind: Kind) {
    self.kind = kind
    // PAE's pointers need not begin a page.
    top = kind == .nptPAE ? 0x10_0040 : 0x10_0000
  }

  /// The flags that name the second level.
  var flags: [String] {
    let root =
      "0x" + String(top | (kind.isEPT ? 6 | UInt64(kind == .ept5 ? 4 : 3) << 3 : 0), radix: 16)
    return switch kind {
    case .ept4, .ept5: ["--eptp", root]
    case .nptLong4: ["--ncr3", root]
    case .nptLong5: ["--ncr3", root, "--host-mode", "long5"]
    case .nptPAE: ["--ncr3", root, "--host-mode", "pae"]
    }
  }

  /// Writes eight bytes of the hypervisor's memory.
  mutating func set(_ address: UInt64, _ word: UInt64) {
    for byte in 0..<8 {
      let place = Int(address & 0xFFF) + byte
      pages[address & ~0xFFF, default: Self.empty][place] =
        UInt8(truncatingIfNeeded: word >> UInt64(byte * 8))
    }
  }

  /// Writes bytes of one page of the hypervisor's memory.
  mutating func put(_ bytes: [UInt8], at address: UInt64) {
    let first = Int(address & 0xFFF)
    pages[address & ~0xFFF, default: Self.empty].replaceSubrange(
      first..<first + bytes.count, with: bytes)
  }

  private static var empty: [UInt8] { [UInt8](repeating: 0, count: 0x1000) }

  private func word(_ address: UInt64) -> UInt64 {
    guard let page = pages[address & ~0xFFF] else { return 0 }
    return (0..<8).reduce(UInt64(0)) {
      $0 | UInt64(page[Int(address & 0xFFF) + $1]) << UInt64(8 * $1)
    }
  }

  /// Maps a page of the inner guest, with everything granted and the bits given.
  mutating func map(
    _ gpa: UInt64, to hpa: UInt64, taking taken: UInt64 = 0, adding bits: UInt64 = 0
  ) {
    var table = top
    for above in (0...kind.levelsAbove).reversed() {
      let index = gpa >> UInt64(21 + 9 * above) & 0x1FF
      let place = table + index * 8
      if word(place) == 0 {
        let isPointer = kind == .nptPAE && above == 1
        set(place, nextTable | (isPointer ? 1 : 7))
        nextTable += 0x1000
      }
      table = word(place) & ~0xFFF
    }
    set(table + (gpa >> 12 & 0x1FF) * 8, (hpa | (kind.isEPT ? 0x37 : 7) | bits) & ~taken)
  }

  /// Puts a guest's image into the memory, page by page, neighbours far from each other.
  mutating func embed(_ image: GuestImage) throws {
    var number: UInt64 = 0
    for segment in image.segments {
      var gpa = segment.gpa.rawValue & ~0xFFF
      while gpa < segment.end.rawValue {
        let first = max(gpa, segment.gpa.rawValue)
        let count = min(gpa + 0x1000, segment.end.rawValue) - first
        let hpa = 0x4000_0000 + (number &* 0x9E37_79B1 & 0xFFFF) << 12
        put(try image.read(GPA(first), count: Int(count)).get(), at: hpa + (first & 0xFFF))
        map(gpa, to: hpa)
        gpa += 0x1000
        number += 1
      }
    }
  }

  /// The memory as a LiME capture.
  var lime: [UInt8] {
    var bytes: [UInt8] = []
    for (address, page) in pages.sorted(by: { $0.key < $1.key }) {
      bytes += [0x45, 0x4D, 0x69, 0x4C, 1, 0, 0, 0]
      for word in [address, address + 0xFFF, 0] {
        bytes += (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) }
      }
      bytes += page
    }
    return bytes
  }
}
