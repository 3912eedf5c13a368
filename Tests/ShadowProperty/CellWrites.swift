/// The writes of one table entry by threads, and what a processor may have seen of them.
struct CellWrites: Sendable {
  /// One write; times as `CellHistories` gives them.
  struct Write: Sendable {
    var value: UInt64
    var start: UInt64
    var end: UInt64
  }

  private var writes: [Write]

  init(initial: UInt64) { writes = [Write(value: initial, start: 0, end: 0)] }

  mutating func add(_ write: Write) { writes.append(write) }

  /// The values that the entry may have had at some time in a span: those of writes that began before
  /// its end, but for those that another write had surely replaced before its beginning.
  func values(from start: UInt64, to end: UInt64) -> Set<UInt64> {
    let replaced = writes.filter { $0.end < start }.map(\.start).max() ?? 0
    return Set(writes.filter { $0.start <= end && $0.end >= replaced }.map(\.value))
  }
}
