import Paging
import TestSupport

/// Pages for tables out of a test memory; notes pages given back twice or not zeroed.
final class TablePages<Space: AddressKind> {
  let memory = SparseMemory<Space>()
  private let first: UInt64
  private(set) var free: [UInt64]
  private(set) var inUse: Set<UInt64> = []
  private(set) var mistakes: [String] = []

  init(_ count: Int, first: UInt64 = 0x10_0000) {
    self.first = first
    free = (0..<UInt64(count)).reversed().map { first + $0 << 12 }
    for page in free { memory.back(page) }
  }

  func take() -> Address<Space>? {
    guard let page = free.popLast() else { return nil }
    inUse.insert(page)
    return Address(page)
  }

  func give(_ page: Address<Space>) {
    if inUse.remove(page.rawValue) == nil { mistakes.append("\(page) given back twice") }
    for word in 0..<UInt64(512) where memory.peek(page.rawValue + word * 8, as: UInt64.self) != 0 {
      mistakes.append("\(page) is not zeros")
      break
    }
    free.append(page.rawValue)
  }

  /// Every word of the pages in use.
  var contents: [UInt64: [UInt64]] {
    var result: [UInt64: [UInt64]] = [:]
    for page in inUse {
      result[page] = (0..<UInt64(512)).map { memory.peek(page + $0 * 8, as: UInt64.self) }
    }
    return result
  }
}
