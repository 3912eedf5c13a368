import Paging
import X86
import X86Guest

/// Looks through the tables of one root.
struct AuditVisitor<Format: EnumerablePagingFormat & X86PagingFormat>: TableVisitor {
  typealias Answer = Never

  let format: Format
  let regime: X86Regime
  let root: GPA
  let kernelStart: GVA
  var notebook: AuditNotebook
  private var path: [UInt64] = []

  init(
    format: Format, regime: X86Regime, root: GPA, kernelStart: GVA, notebook: AuditNotebook
  ) {
    self.format = format
    self.regime = regime
    self.root = root
    self.kernelStart = kernelStart
    self.notebook = notebook
  }

  mutating func enter(_ table: TableVisit<Format>) -> VisitStep<Never> {
    if path.contains(table.address) {
      notebook.add(
        AuditFinding(
          kind: .selfMapping, root: root, gva: table.input,
          size: format.shape(at: table.level).size.bytes, gpa: GPA(table.entryAddress ?? 0),
          level: table.level.above, permissions: nil, entry: table.entry,
          words: "the entry points to the table at GPA \(GPA(table.address)) on its own path"))
      return .skip
    }
    let meeting = AuditNotebook.Meeting(
      address: table.address, level: table.level, input: table.input,
      permissions: format.permissions(of: table.rights))
    guard notebook.met.insert(meeting).inserted else { return .skip }
    notebook.tables.insert(AuditNotebook.Table(address: table.address, level: table.level))
    path.append(table.address)
    return .next
  }

  mutating func leave(_ table: TableVisit<Format>) { path.removeLast() }

  mutating func page(_ page: PageVisit<Format>) -> VisitStep<Never> {
    notebook.pages += 1
    let permissions = format.permissions(of: page.rights)
    if permissions.isSuperset(of: [.write, .execute]), format.controls.executeDisable {
      add(.writableExecutable, page, permissions, "data that can be run")
    }
    if permissions.contains(.user) {
      if page.input >= kernelStart {
        add(.userInKernel, page, permissions, "user mode can use a page of the kernel's half")
      }
      compare(page, permissions)
    }
    return .next
  }

  private mutating func add(
    _ kind: AuditFinding.Kind, _ page: PageVisit<Format>, _ permissions: Permissions,
    _ words: String
  ) {
    notebook.add(
      AuditFinding(
        kind: kind, root: root, gva: page.input, size: page.page.size.bytes,
        gpa: GPA(page.page.base), level: page.level, permissions: permissions, entry: page.entry,
        words: words), joining: true)
  }

  /// Looks whether another root maps the frame for user mode, otherwise.
  private mutating func compare(_ page: PageVisit<Format>, _ permissions: Permissions) {
    guard let owner = notebook.owners[page.page.base] else {
      if notebook.owners.count < AuditNotebook.mostOwners {
        notebook.owners[page.page.base] = AuditNotebook.Owner(
          root: root, permissions: permissions, gva: page.input)
      } else {
        notebook.isFull = true
      }
      return
    }
    guard owner.root != root, owner.permissions != permissions else { return }
    notebook.add(
      AuditFinding(
        kind: .sharedDifferently, root: root, gva: page.input, size: page.page.size.bytes,
        gpa: GPA(page.page.base), level: page.level, permissions: permissions, entry: page.entry,
        words: "root \(owner.root) maps the frame at \(owner.gva) with \(owner.permissions)"))
  }

  mutating func reserved(_ entry: PageVisit<Format>) -> VisitStep<Never> {
    let bits = regime.reservedBits(in: entry.entry, at: entry.level)
    notebook.add(
      AuditFinding(
        kind: .reservedBits, root: root, gva: entry.input,
        size: format.shape(at: entry.level).entrySize.bytes, gpa: GPA(entry.entryAddress),
        level: entry.level, permissions: nil, entry: entry.entry,
        words: "\(format.entryName(at: entry.level)) has bits 0x\(String(bits, radix: 16)) set,"
          + " which must be 0"))
    return .next
  }

  mutating func unreadable(
    _ table: TableVisit<Format>, entryAddress: UInt64
  ) -> VisitStep<Never> {
    notebook.addMissing(
      AuditFinding(
        kind: .missingTable, root: root, gva: table.input,
        size: format.shape(at: table.level).size.bytes, gpa: GPA(table.address),
        level: table.level, permissions: nil, entry: nil,
        words: "the page that holds the \(format.entryName(at: table.level))s is not in this file:"
          + " what it maps is not known"))
    return .next
  }
}
