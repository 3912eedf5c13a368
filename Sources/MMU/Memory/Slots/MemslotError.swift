public import Paging

/// Why a change of memslots is refused.
public enum MemslotError: Error, Sendable, Hashable {
  /// No frames, or more than an address space has.
  case badSize(frames: UInt64)
  /// The slot passes the end of the 52-bit address space.
  case outside(base: GFN)
  /// The host memory does not begin at a page.
  case unaligned(host: HPA)
  /// Two slots would hold one frame.
  case overlap(id: Int, other: Int)
  /// The number is taken.
  case duplicate(id: Int)
  /// No slot has this number.
  case unknown(id: Int)
  /// The slot has private memory, so that it is neither moved nor changed.
  case hasPrivateMemory(id: Int)
  /// The table is full.
  case tooMany
  /// The machine has no system-management mode.
  case unknownSpace
}

extension MemslotError: CustomStringConvertible {
  /// One line.
  public var description: String {
    switch self {
    case .badSize(let frames): "a memslot of \(frames) frames (allowed: 1 to 2^40)"
    case .outside(let base): "memslot at frame \(base) passes the end of the address space"
    case .unaligned(let host): "host memory at \(host) does not begin at a 4 KiB page"
    case .overlap(let id, let other): "memslot \(id) overlaps memslot \(other)"
    case .duplicate(let id): "memslot \(id) exists already"
    case .unknown(let id): "there is no memslot \(id)"
    case .unknownSpace: "the machine has no system-management mode"
    case .hasPrivateMemory(let id):
      "memslot \(id) has private memory, so that it is neither moved nor changed"
    case .tooMany: "more than \(MemslotTable.capacity) memslots"
    }
  }
}
