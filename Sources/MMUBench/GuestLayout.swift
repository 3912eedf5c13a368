import MMU
import Paging

/// Four-level tables in a row (top, one below, directories, leaf tables) over data pages and, behind
/// them, the data's leaf tables themselves.
struct GuestLayout {
  /// Data pages. **Units** pages.
  let pages: Int

  private var dataTables: Int { (pages + 511) / 512 }
  private var mapped: Int { pages + dataTables }
  private var leafTables: Int { (mapped + 511) / 512 }
  private var directories: Int { (leafTables + 511) / 512 }

  /// **Units** pages.
  var tableCount: Int { 2 + directories + leafTables }

  /// Writes the tables, all A and D bits set.
  ///
  /// - Parameters:
  ///   - root: where the first one goes.
  ///   - data: the first frame of the data.
  func write(at root: GPA, data: GFN, to memory: GuestView) {
    let linear = ShadowAccessRig.linear.rawValue
    func table(_ number: Int) -> UInt64 { root.rawValue + UInt64(number) << 12 }
    let directory = 2
    let leaf = directory + directories
    var top = [UInt64](repeating: 0, count: 512)
    top[Int(linear >> 39 & 511)] = table(1) | Self.bits
    store(top, at: table(0), memory)
    store((0..<directories).map { table(directory + $0) | Self.bits }, at: table(1), memory)
    store((0..<leafTables).map { table(leaf + $0) | Self.bits }, at: table(directory), memory)
    let leaves = (0..<mapped).map { page in
      page < pages
        ? data.wrappingAdd(UInt64(page)).baseAddress.rawValue | Self.bits
        : table(leaf + page - pages) | Self.bits
    }
    store(leaves, at: table(leaf), memory)
  }

  /// P, R/W, U/S, A and D.
  private static var bits: UInt64 { 0x67 }

  private func store(_ entries: [UInt64], at place: UInt64, _ memory: GuestView) {
    // SAFETY: an entry has no padding.
    let done = unsafe memory.write(entries.span.bytes, at: GPA(place))
    precondition(done == entries.count * 8, "the tables lie in a slot")
  }
}
