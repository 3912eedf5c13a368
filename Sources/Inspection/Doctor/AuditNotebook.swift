import Paging

/// What an audit has seen so far.
struct AuditNotebook {
  /// A table as it is met: the same one at another address or with other rights is another matter.
  struct Meeting: Hashable {
    let address: UInt64
    let level: Level
    let input: GVA
    let permissions: Permissions
  }

  /// A table, wherever it is linked.
  struct Table: Hashable {
    let address: UInt64
    let level: Level
  }

  /// The first user mapping of a frame.
  struct Owner {
    let root: GPA
    let permissions: Permissions
    let gva: GVA
  }

  var listed: [AuditFinding.Kind: [AuditFinding]] = [:]
  var counts: [AuditFinding.Kind: Int] = [:]
  var met: Set<Meeting> = []
  var tables: Set<Table> = []
  var owners: [UInt64: Owner] = [:]
  var pages = 0
  /// Whether frames were left out of the comparison between roots.
  var isFull = false
  private var missing: [UInt64: Int] = [:]

  /// How many frames are compared between roots.
  static var mostOwners: Int { 1 << 22 }

  /// Adds a finding, joined to the one before where the two are neighbours of one root.
  mutating func add(_ finding: AuditFinding, joining: Bool = false) {
    var list = listed[finding.kind] ?? []
    listed[finding.kind] = nil
    defer { listed[finding.kind] = list }
    if joining, let last = list.last, last.root == finding.root,
      last.permissions == finding.permissions, last.gva.wrappingAdd(last.size) == finding.gva
    {
      list[list.count - 1].size &+= finding.size
      list[list.count - 1].count += 1
      return
    }
    counts[finding.kind, default: 0] += 1
    if list.count < ImageAudit.mostListed { list.append(finding) }
  }

  /// Adds a missing table, or one more place where it is linked.
  mutating func addMissing(_ finding: AuditFinding) {
    if let index = missing[finding.gpa.rawValue] {
      guard index < ImageAudit.mostListed else { return }
      listed[.missingTable]?[index].size &+= finding.size
      listed[.missingTable]?[index].count += 1
      return
    }
    missing[finding.gpa.rawValue] = counts[.missingTable] ?? 0
    add(finding)
  }
}
