import Paging
import X86

/// Lists the pages below a table, joined as the element joins.
struct MapCollector<Format: X86PagingFormat, Element: MapElement>: TableVisitor {
  typealias Answer = Never

  var elements: [Element] = []
  var holes = MapHoles()

  mutating func page(_ page: PageVisit<Format>) -> VisitStep<Never> {
    append(
      Element(
        MappedPage(
          start: page.input, gpa: GPA(page.page.base), size: page.page.size,
          permissions: page.rights.permissions, leaf: page.entry)))
    return .next
  }

  mutating func reserved(_ entry: PageVisit<Format>) -> VisitStep<Never> {
    holes.malformedEntries += 1
    return .next
  }

  mutating func unreadable(
    _ table: TableVisit<Format>, entryAddress: UInt64
  ) -> VisitStep<Never> {
    holes.add(GPA(entryAddress))
    return .next
  }

  mutating func append(_ element: Element) {
    if !elements.isEmpty, elements[elements.count - 1].absorb(element) { return }
    elements.append(element)
  }

  /// Adds what another collector found further up.
  mutating func append(_ other: MapCollector) {
    holes.add(other.holes)
    guard let first = other.elements.first else { return }
    append(first)
    elements.append(contentsOf: other.elements.dropFirst())
  }
}

/// Finds the pieces that a large address space is cut into: tables two levels down, and pages above.
struct MapSplitter<Format: X86PagingFormat>: TableVisitor {
  typealias Answer = Never

  enum Piece: Sendable {
    case table(TableVisit<Format>)
    case page(PageVisit<Format>)
  }

  let splitLevel: Level
  var pieces: [Piece] = []
  var holes = MapHoles()

  mutating func enter(_ table: TableVisit<Format>) -> VisitStep<Never> {
    guard table.level <= splitLevel else { return .next }
    pieces.append(.table(table))
    return .skip
  }

  mutating func page(_ page: PageVisit<Format>) -> VisitStep<Never> {
    pieces.append(.page(page))
    return .next
  }

  mutating func reserved(_ entry: PageVisit<Format>) -> VisitStep<Never> {
    holes.malformedEntries += 1
    return .next
  }

  mutating func unreadable(
    _ table: TableVisit<Format>, entryAddress: UInt64
  ) -> VisitStep<Never> {
    holes.add(GPA(entryAddress))
    return .next
  }
}
