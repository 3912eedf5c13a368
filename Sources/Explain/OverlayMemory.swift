public import Paging

/// A memory with a few entries changed, so that a change can be tried without being made.
public struct OverlayMemory<Base: EntryMemory>: EntryMemory {
  /// As the base's.
  public typealias Space = Base.Space
  /// As the base's.
  public typealias Failure = Base.Failure

  /// What lies below.
  public let base: Base
  /// The changed entries by address, widened to 64 bits.
  public private(set) var changed: [UInt64: UInt64] = [:]

  /// A memory that holds what its base holds.
  public init(_ base: Base) { self.base = base }

  /// Changes one entry, seen by loads of exactly this address.
  public mutating func set(_ entry: UInt64, at address: Address<Space>) {
    changed[address.rawValue] = entry
  }

  /// Reads the changed entry, or the base's.
  public func load<Entry: TableEntry>(
    _ address: Address<Space>, as type: Entry.Type
  ) -> Result<Entry, Failure> {
    guard let entry = changed[address.rawValue] else { return base.load(address, as: type) }
    return .success(Entry(truncatingIfNeeded: entry))
  }

  /// Refuses: nothing below is ever written.
  public func compareExchange<Entry: TableEntry>(
    _ address: Address<Space>, expected: Entry, desired: Entry
  ) -> Result<EntryExchange, Failure> {
    load(address, as: Entry.self).map { _ in .readOnly }
  }
}
