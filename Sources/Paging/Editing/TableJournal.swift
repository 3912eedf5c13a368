/// What an edit has changed so far, so that it can be undone.
struct TableJournal<Entry: TableEntry> {
  private struct Change {
    let place: UInt64
    let old: Entry
    let new: Entry
  }

  private var changes: [Change] = []
  /// The table pages that were taken.
  var taken: [UInt64] = []

  /// Stores an entry and remembers what it replaced.
  mutating func store<Memory: EntryMemory & ~Copyable>(
    _ new: Entry, over old: Entry, at place: UInt64, in memory: borrowing Memory
  ) throws(TableEditError) {
    guard
      case .success(.stored) = memory.compareExchange(
        Address(place), expected: old, desired: new)
    else { throw .unreadable(entry: place) }
    changes.append(Change(place: place, old: old, new: new))
  }

  /// Puts everything back, the last change first, and gives the taken pages back.
  mutating func undo<Memory: EntryMemory & ~Copyable>(
    in memory: borrowing Memory, _ giveTable: (Address<Memory.Space>) -> Void
  ) {
    for change in changes.reversed() {
      _ = memory.compareExchange(
        Address(change.place), expected: change.new, desired: change.old)
    }
    for page in taken.reversed() { giveTable(Address(page)) }
    changes.removeAll()
    taken.removeAll()
  }
}
