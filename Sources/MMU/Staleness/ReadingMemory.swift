public import Paging

/// Guest memory as a check reads tables in it: each entry is noted, and nothing is written.
public struct ReadingMemory: EntryMemory {
  /// Guest tables hold guest physical addresses.
  public typealias Space = GuestPhysical
  /// Nothing is there.
  public typealias Failure = GuestMemoryHole

  let host: HostView
  let marks: UInt64
  let isSecondLevel: Bool
  let reading: TableReading
  let locate: (GPA) -> GuestPlace?

  /// The memory of a vCPU's guest.
  ///
  /// - Parameters:
  ///   - mmu: the machine's.
  ///   - cpu: the vCPU.
  ///   - gva: the address whose walk reads it.
  ///   - marks: the bits of the entries that the processor sets by itself.
  ///   - reading: gets what is read.
  public init<MMU: VirtualMMU>(
    _ mmu: MMU, for cpu: MMU.CPU, gva: GVA, marks: UInt64, noting reading: TableReading
  ) {
    self.init(mmu.memory.host.view, marks: marks, isSecondLevel: false, reading) {
      mmu.place(of: $0, gva: gva, on: cpu, noting: reading)
    }
  }

  init(
    _ host: HostView, marks: UInt64, isSecondLevel: Bool, _ reading: TableReading,
    _ locate: @escaping (GPA) -> GuestPlace?
  ) {
    self.host = host
    self.marks = marks
    self.isSecondLevel = isSecondLevel
    self.reading = reading
    self.locate = locate
  }

  /// Reads an entry, and notes it.
  public func load<Entry: TableEntry>(
    _ address: GPA, as type: Entry.Type
  ) -> Result<Entry, GuestMemoryHole> {
    guard let place = locate(address), let hpa = place.hpa,
      case .success(let entry) = host.load(hpa, as: type)
    else { return .failure(GuestMemoryHole(gpa: address)) }
    reading.note(
      TableReading.Entry(
        place: hpa, gpa: place.gpa, value: UInt64(entry), size: MemoryLayout<Entry>.size,
        marks: marks, isSecondLevel: isSecondLevel))
    return .success(entry)
  }

  /// Changes nothing.
  public func compareExchange<Entry: TableEntry>(
    _ address: GPA, expected: Entry, desired: Entry
  ) -> Result<EntryExchange, GuestMemoryHole> { .success(.readOnly) }
}
