public import GuestImage
public import Paging
import X86
import X86Guest
import X86Legacy32
import X86Long
import X86PAE

/// What an address space maps, in address order.
public struct AddressSpaceMap<Element: MapElement>: Sendable {
  /// Its pages or runs.
  public let elements: [Element]
  /// What could not be followed.
  public let holes: MapHoles
}

extension AddressSpaceMap {
  // PERF: image.map; callers are in other modules, the walk has to be compiled for both here.

  /// Lists an address space of an image, on all cores where it is large.
  ///
  /// The result is the same on any number of cores.
  ///
  /// - Throws: `MapError.tooLarge`
  @specialized(where Element == MappedRun)
  @specialized(where Element == MappedPage)
  public init(
    of space: ImageAddressSpace, limit: VisitBudget = VisitBudget(pages: 1 << 24)
  ) throws(MapError) {
    func list<Format: EnumerablePagingFormat & X86PagingFormat>(
      _ regime: FormatRegime<Format>
    ) throws(MapError) -> AddressSpaceMap {
      let tables = PageTables(regime.format, root: regime.root)
      return try AddressSpaceMap(tables, in: space.image, limit: limit)
    }
    switch space.regime {
    case nil, .some(.none): self.init(elements: [], holes: MapHoles())
    case .legacy32(let regime): self = try list(regime)
    case .pae(let regime): self = try list(regime)
    case .long4(let regime): self = try list(regime)
    case .long5(let regime): self = try list(regime)
    }
  }

  /// Below this many tables threads cost more than they save.
  private static var serialTables: Int { 2048 }

  init<Format: EnumerablePagingFormat & X86PagingFormat>(
    _ tables: PageTables<Format>, in image: GuestImage, limit: VisitBudget
  ) throws(MapError) {
    var small = VisitBudget(tables: min(Self.serialTables, limit.tables), pages: limit.pages)
    if let map = Self.serial(tables, in: image, &small) {
      self = map
    } else if let map = Self.parallel(tables, in: image, limit) {
      self = map
    } else {
      var budget = limit
      guard let map = Self.serial(tables, in: image, &budget) else { throw .tooLarge(limit) }
      self = map
    }
  }

  private static func serial<Format: EnumerablePagingFormat & X86PagingFormat>(
    _ tables: PageTables<Format>, in image: GuestImage, _ budget: inout VisitBudget
  ) -> AddressSpaceMap? {
    var collector = MapCollector<Format, Element>()
    guard case .finished = tables.walk(in: image, &collector, &budget) else { return nil }
    return AddressSpaceMap(elements: collector.elements, holes: collector.holes)
  }

  /// Each core may use its share of the limit, so that together they never use more; `nil` where a
  /// share is not enough.
  private static func parallel<Format: EnumerablePagingFormat & X86PagingFormat>(
    _ tables: PageTables<Format>, in image: GuestImage, _ limit: VisitBudget
  ) -> AddressSpaceMap? {
    guard Parallel.width > 1, let top = tables.roots.first?.level else { return nil }
    var splitter = MapSplitter<Format>(splitLevel: Level(max(top.rawValue - 2, 1)))
    var budget = limit
    guard case .finished = tables.walk(in: image, &splitter, &budget) else { return nil }
    let pieces = splitter.pieces
    let slices = Parallel.ranges(pieces.count, pieces: Parallel.width * 16)
    let share = VisitBudget(
      tables: limit.tables / slices.count + 1, pages: limit.pages / slices.count + 1)
    let collectors = Parallel.map(slices.count) { slice -> MapCollector<Format, Element>? in
      var collector = MapCollector<Format, Element>()
      var budget = share
      for piece in pieces[slices[slice]] {
        switch piece {
        case .page(let page): _ = collector.page(page)
        case .table(let table):
          guard case .finished = tables.walk(table, in: image, &collector, &budget) else {
            return nil
          }
        }
      }
      return collector
    }
    var whole = MapCollector<Format, Element>()
    whole.holes = splitter.holes
    for collector in collectors {
      guard let collector else { return nil }
      whole.append(collector)
    }
    return AddressSpaceMap(elements: whole.elements, holes: whole.holes)
  }
}
