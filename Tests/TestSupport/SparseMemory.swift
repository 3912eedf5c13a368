package import Paging

/// A memory of single pages for tests: holes, read-only pages and lost races on demand.
///
/// One thread only. A page that was never written is a hole, unless `fillsHoles` is on.
package final class SparseMemory<Space: AddressKind>: EntryMemory {
  /// A load or an exchange outside every page.
  package struct Hole: Error, Hashable {
    /// The byte address that was asked for.
    package let address: UInt64
  }

  /// The 512 words of each page, by frame number.
  private var pages: [UInt64: [UInt64]] = [:]
  /// Frames that walks may not write.
  package var readOnlyFrames: Set<UInt64> = []
  /// Frames whose exchanges fail as if they were holes, though loads succeed.
  package var unwritableFrames: Set<UInt64> = []
  /// Whether a page that was never written reads as zeros.
  package var fillsHoles = false
  /// Called after each load with its address: the place to change an entry under a walk.
  package var afterLoad: ((UInt64) -> Void)?
  /// How many loads walks have made.
  package private(set) var loads = 0
  /// How many exchanges walks have asked for.
  package private(set) var exchanges = 0
  /// The addresses of the exchanges that stored, in order.
  package private(set) var stores: [UInt64] = []

  /// A memory without a page.
  package init() {}

  /// Makes the page that holds an address, filled with zeros, unless it is there.
  package func back(_ address: UInt64) {
    if pages[address >> 12] == nil {
      pages[address >> 12] = Array(repeating: 0, count: 512)
    }
  }

  /// Forgets every page and every count.
  package func removeAll() {
    pages.removeAll(keepingCapacity: true)
    readOnlyFrames = []
    unwritableFrames = []
    resetCounts()
  }

  /// Sets the counts to zero.
  package func resetCounts() {
    loads = 0
    exchanges = 0
    stores = []
  }

  /// An entry without counting a load, 0 in a hole.
  package func peek<Entry: TableEntry>(_ address: UInt64, as type: Entry.Type) -> Entry {
    read(address, as: type) ?? 0
  }

  /// Writes an entry whatever the page allows, making the page if needed.
  package func poke<Entry: TableEntry>(_ address: UInt64, _ entry: Entry) {
    back(address)
    write(address, entry)
  }

  /// Reads one entry.
  package func load<Entry: TableEntry>(
    _ address: Address<Space>, as type: Entry.Type
  ) -> Result<Entry, Hole> {
    loads += 1
    guard let entry = read(address.rawValue, as: type) else {
      return .failure(Hole(address: address.rawValue))
    }
    afterLoad?(address.rawValue)
    return .success(entry)
  }

  /// Stores `desired` if the entry still is `expected`.
  package func compareExchange<Entry: TableEntry>(
    _ address: Address<Space>, expected: Entry, desired: Entry
  ) -> Result<EntryExchange, Hole> {
    exchanges += 1
    let frame = address.rawValue >> 12
    guard let entry = read(address.rawValue, as: Entry.self), !unwritableFrames.contains(frame)
    else { return .failure(Hole(address: address.rawValue)) }
    if readOnlyFrames.contains(frame) { return .success(.readOnly) }
    if entry != expected { return .success(.lost) }
    write(address.rawValue, desired)
    stores.append(address.rawValue)
    return .success(.stored)
  }

  private func read<Entry: TableEntry>(_ address: UInt64, as type: Entry.Type) -> Entry? {
    precondition(address % UInt64(MemoryLayout<Entry>.size) == 0, "a misaligned entry")
    guard let page = pages[address >> 12] else { return fillsHoles ? 0 : nil }
    let word = page[Int(address >> 3 & 511)]
    return Entry(truncatingIfNeeded: word >> ((address & 7) * 8))
  }

  private func write<Entry: TableEntry>(_ address: UInt64, _ entry: Entry) {
    precondition(address % UInt64(MemoryLayout<Entry>.size) == 0, "a misaligned entry")
    let index = Int(address >> 3 & 511)
    let shift = (address & 7) * 8
    let mask = UInt64(Entry.max) << shift
    let word = pages[address >> 12]?[index] ?? 0
    pages[address >> 12]?[index] = word & ~mask | UInt64(entry) << shift
  }
}

/// A guest-physical test memory, what guest tables live in.
package typealias GuestTestMemory = SparseMemory<GuestPhysical>
