public import GuestImage
public import Paging
import X86
import X86Guest
import X86Legacy32
import X86Long
import X86PAE

/// The image doctor: all tables below some roots, looked through for what deserves a look.
///
/// Parts that roots share are looked through once, so the work is that of the distinct tables; a
/// budget bounds it on hostile images.
public struct ImageAudit: Sendable {
  /// What was found, by kind and then in the order of the visit; at most `mostListed` a kind.
  public private(set) var findings: [AuditFinding] = []
  /// How many there are of each kind, those not listed included.
  public private(set) var counts: [AuditFinding.Kind: Int] = [:]
  /// The tables that the roots lead to, by level; each page counts once a level.
  public private(set) var tablesByLevel: [Level: Int] = [:]
  /// The pages that were looked at.
  public private(set) var pages = 0
  /// Whether the budget was used up, so that something may be missing.
  public private(set) var isExhausted = false
  /// What is not looked for, and why; one line each.
  public private(set) var notes: [String] = []

  /// How many findings of a kind are listed.
  public static var mostListed: Int { 1000 }

  /// Where the kernel's half of a 32-bit address space begins unless told otherwise.
  public static var usualKernelStart: GVA { GVA(0xC000_0000) }

  /// Looks through the tables of some roots.
  ///
  /// - Parameters:
  ///   - spaces: the roots, all of one image and mode.
  ///   - kernelStart: the first kernel address of 32-bit modes; in the long modes it is the upper
  ///     half.
  public init(
    of spaces: [ImageAddressSpace], kernelStart: GVA = Self.usualKernelStart,
    budget: VisitBudget = VisitBudget()
  ) {
    var notebook = AuditNotebook()
    var budget = budget
    for space in spaces {
      if !look(through: space, kernelStart, &notebook, &budget) { isExhausted = true }
    }
    if let first = spaces.first, let regime = first.regime, !regime.controls.executeDisable {
      notes.append(
        "execute-disable is off: every page can be executed, so writable ones are not listed")
    }
    if notebook.isFull {
      notes.append("so many frames are mapped that not all were compared between roots")
    }
    counts = notebook.counts
    pages = notebook.pages
    findings = AuditFinding.Kind.allCases.flatMap { notebook.listed[$0] ?? [] }
    for table in notebook.tables { tablesByLevel[table.level, default: 0] += 1 }
  }

  private func look(
    through space: ImageAddressSpace, _ kernelStart: GVA, _ notebook: inout AuditNotebook,
    _ budget: inout VisitBudget
  ) -> Bool {
    func visit<Format: EnumerablePagingFormat & X86PagingFormat>(
      _ regime: FormatRegime<Format>, _ modes: X86Regime, _ kernelStart: GVA
    ) -> Bool {
      var visitor = AuditVisitor<Format>(
        format: regime.format, regime: modes, root: space.tableAddress, kernelStart: kernelStart,
        notebook: notebook)
      let tables = PageTables(regime.format, root: regime.root)
      let outcome = tables.walk(in: space.image, &visitor, &budget)
      notebook = visitor.notebook
      if case .exhausted = outcome { return false }
      return true
    }
    guard let regime = space.regime else { return true }
    return switch regime {
    case .none: true
    case .legacy32(let format): visit(format, regime, kernelStart)
    case .pae(let format): visit(format, regime, kernelStart)
    case .long4(let format): visit(format, regime, GVA(1 << 63))
    case .long5(let format): visit(format, regime, GVA(1 << 63))
    }
  }
}
