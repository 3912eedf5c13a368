public import GuestImage
public import Paging
import X86
import X86Guest

/// The tables of an address space as a graph: each table once a level, with how often it is linked.
public struct TableTree: Sendable {
  /// One table at one level.
  public struct Node: Sendable, Hashable {
    /// Where it lies.
    public let address: GPA
    /// Its level.
    public let level: Level
    /// The first address that it covers where it is first linked.
    public let start: GVA
    /// What it covers.
    public let coverage: PageSize
    /// How many entries link it; 1 for a root.
    public internal(set) var links = 1
    /// Entries that link tables. **Units** entries.
    public internal(set) var tables = 0
    /// Entries that map pages. **Units** entries.
    public internal(set) var pages = 0
    /// Entries that are malformed. **Units** entries.
    public internal(set) var malformed = 0
    /// Entries that the table has room for.
    public let capacity: Int
    /// Whether some of its entries are not in the image.
    public internal(set) var isUnreadable = false
    /// The tables below it: the entry's index, and the place of the table in `nodes`.
    public internal(set) var children: [Child] = []
  }

  /// A link from a table to one below.
  public struct Child: Sendable, Hashable {
    /// Which entry. **Units** entries.
    public let index: Int
    /// The table's place in `nodes`.
    public let node: Int
  }

  /// The tables, each after the first that links it.
  public internal(set) var nodes: [Node] = []
  /// The places of the roots in `nodes`.
  public internal(set) var roots: [Int] = []
  /// Whether tables were left out because there are more than the limit.
  public internal(set) var isCutShort = false

  /// The tables of an address space.
  ///
  /// - Parameter limit: the most tables that are told apart; each is read once a level, so the work is
  ///   bounded by it whatever the tables hold.
  public init(of space: ImageAddressSpace, limit: Int = 1 << 18) {
    switch space.regime {
    case nil, .some(.none): return
    case .legacy32(let regime): read(regime, space.image, limit)
    case .pae(let regime): read(regime, space.image, limit)
    case .long4(let regime): read(regime, space.image, limit)
    case .long5(let regime): read(regime, space.image, limit)
    }
  }

  private mutating func read<Format: EnumerablePagingFormat & X86PagingFormat>(
    _ regime: FormatRegime<Format>, _ image: GuestImage, _ limit: Int
  ) {
    let tables = PageTables(regime.format, root: regime.root)
    var collector = TreeCollector<Format>(limit: limit, format: regime.format)
    var budget = VisitBudget(tables: limit, pages: .max)
    switch tables.walk(in: image, &collector, &budget) {
    case .finished: break
    case .stopped, .exhausted: collector.tree.isCutShort = true
    }
    self = collector.tree
  }

  init() {}
}

/// Builds the graph; a table that was seen at its level is linked, not visited again.
struct TreeCollector<Format: EnumerablePagingFormat & X86PagingFormat>: TableVisitor {
  typealias Answer = Never

  private struct Key: Hashable {
    let address: UInt64
    let level: Level
  }

  var tree = TableTree()
  let limit: Int
  let format: Format
  private var places: [Key: Int] = [:]
  private var path: [Int] = []

  init(limit: Int, format: Format) {
    self.limit = limit
    self.format = format
  }

  mutating func enter(_ table: TableVisit<Format>) -> VisitStep<Never> {
    let key = Key(address: table.address, level: table.level)
    if let known = places[key] {
      tree.nodes[known].links += 1
      link(table, to: known)
      return .skip
    }
    guard tree.nodes.count < limit else {
      tree.isCutShort = true
      return .skip
    }
    let place = tree.nodes.count
    let shape = format.shape(at: table.level)
    tree.nodes.append(
      TableTree.Node(
        address: GPA(table.address), level: table.level, start: table.input,
        coverage: shape.size, capacity: shape.count))
    places[key] = place
    link(table, to: place)
    path.append(place)
    return .next
  }

  mutating func leave(_ table: TableVisit<Format>) { path.removeLast() }

  mutating func page(_ page: PageVisit<Format>) -> VisitStep<Never> {
    tree.nodes[path[path.count - 1]].pages += 1
    return .next
  }

  mutating func reserved(_ entry: PageVisit<Format>) -> VisitStep<Never> {
    tree.nodes[path[path.count - 1]].malformed += 1
    return .next
  }

  mutating func unreadable(
    _ table: TableVisit<Format>, entryAddress: UInt64
  ) -> VisitStep<Never> {
    tree.nodes[path[path.count - 1]].isUnreadable = true
    return .next
  }

  private mutating func link(_ table: TableVisit<Format>, to place: Int) {
    guard let parent = path.last else {
      tree.roots.append(place)
      return
    }
    tree.nodes[parent].tables += 1
    let index = format.index(of: table.input.rawValue, at: table.level.above)
    tree.nodes[parent].children.append(TableTree.Child(index: Int(index), node: place))
  }
}
