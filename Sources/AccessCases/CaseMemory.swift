public import Paging
import Synchronization

/// Guest-physical memory of which only some entries are said; all else reads 0.
///
/// Entries have one width, 4 or 8 bytes, and may be read and exchanged by several threads.
public final class CaseMemory: EntryMemory, Sendable {
  /// Guest-physical addresses.
  public typealias Space = GuestPhysical
  /// There is no hole.
  public typealias Failure = Never

  private let entries: Mutex<[UInt64: UInt64]>

  /// Memory that holds the given entries, by address.
  public init(_ entries: [UInt64: UInt64]) { self.entries = Mutex(entries) }

  /// The entries by address: those said, and those written since.
  public var contents: [UInt64: UInt64] { entries.withLock { $0 } }

  /// Reads an entry; 0 where none was said.
  public func load<Entry: TableEntry>(
    _ address: GPA, as type: Entry.Type
  ) -> Result<Entry, Never> {
    .success(entries.withLock { Entry(truncatingIfNeeded: $0[address.rawValue] ?? 0) })
  }

  /// Replaces an entry under the lock if it still holds what is expected.
  public func compareExchange<Entry: TableEntry>(
    _ address: GPA, expected: Entry, desired: Entry
  ) -> Result<EntryExchange, Never> {
    entries.withLock {
      guard $0[address.rawValue] ?? 0 == UInt64(expected) else { return .success(.lost) }
      $0[address.rawValue] = UInt64(desired)
      return .success(.stored)
    }
  }
}
