public import Paging

/// The physical memory of a guest's guest as software reads it: through the hypervisor's tables, and
/// not through ours that follow them.
///
/// Without such tables it is the hypervisor's own memory.
public struct NestedView<Format: NestedFormat>: EntryMemory {
  /// The tables of the inner guest hold its own physical addresses.
  public typealias Space = GuestPhysical
  /// The hypervisor's tables refuse, or no memory is there.
  public typealias Failure = NestedViewFailure

  let tables: FormatRegime<Format>?
  let memory: GuestMemory
  let isMarking: Bool
  let gva: GVA?

  /// Reads an entry.
  public func load<Entry: TableEntry>(
    _ address: GPA, as type: Entry.Type
  ) -> Result<Entry, NestedViewFailure> {
    place(of: address, update: false).flatMap { place in
      memory.view.load(place, as: type).mapError { .hole($0) }
    }
  }

  /// Replaces an entry; who tracks that memory hears of it.
  public func compareExchange<Entry: TableEntry>(
    _ address: GPA, expected: Entry, desired: Entry
  ) -> Result<EntryExchange, NestedViewFailure> {
    place(of: address, update: true).flatMap { place in
      memory.view.compareExchange(place, expected: expected, desired: desired)
        .mapError { .hole($0) }
    }
  }

  private func place(of address: GPA, update: Bool) -> Result<GPA, NestedViewFailure> {
    guard let tables else { return .success(address) }
    return place(of: address, for: tables.format.tableAccess(update: update, for: gva))
  }

  /// Where an address is in the memslots, as the tables lead an access there.
  func place(of address: GPA, for access: Format.Access) -> Result<GPA, NestedViewFailure> {
    guard let tables else { return .success(address) }
    // Marks in the tables are the walk's own and no news to whoever shadows them.
    let view = memory.untrackedView
    let found =
      isMarking
      ? tables.translate(address, for: access, in: view, Commit())
      : tables.translate(address, for: access, in: view, Judge())
    switch found {
    case .success(let translation): return .success(translation.address)
    case .failure(.fault(let exit)): return .failure(.refused(Format.reflection(of: exit)))
    case .failure(.unreadable(let hole, _, _)): return .failure(.hole(hole))
    case .failure(.contended): return .failure(.hole(GuestMemoryHole(gpa: address)))
    }
  }
}
