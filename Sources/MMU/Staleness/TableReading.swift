public import Paging

/// The table entries that a translation hangs on, in the order in which a check of it has read them.
public final class TableReading {
  /// One entry.
  public struct Entry: Sendable {
    /// Where it is.
    public let place: HPA
    /// Its address in the memslots.
    public let gpa: GPA
    /// What it holds.
    public let value: UInt64
    /// **Units** bytes.
    public let size: Int
    /// The bits that the processor sets by itself.
    public let marks: UInt64
    /// Whether it is of the tables that a hypervisor inside the guest made for the guest.
    public let isSecondLevel: Bool
  }

  /// The entries so far.
  public private(set) var entries: [Entry] = []

  /// Nothing was read yet.
  public init() {}

  func note(_ entry: Entry) { entries.append(entry) }

  /// The root of the hypervisor's tables, where there are any.
  public var secondLevelRoot: GPA? {
    entries.first { $0.isSecondLevel }?.gpa.roundedDown(to: .size4KiB)
  }
}
