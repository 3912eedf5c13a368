public import GuestImage
public import Paging
import X86
import X86Guest
import X86Legacy32
import X86Long
import X86PAE

/// Who uses guest-physical addresses, root by root.
public enum ReverseMap {
  /// Finds every use that one address space makes of some addresses.
  ///
  /// - Parameters:
  ///   - targets: the addresses.
  ///   - budget: what the visit may still cost; less afterwards.
  ///   - found: called with each use, in the order of virtual addresses.
  /// - Returns: false where the budget was used up before the end.
  /// - Complexity: one visit of all tables, bounded by the budget.
  public static func uses(
    of targets: [GPA], in space: ImageAddressSpace, _ budget: inout VisitBudget,
    _ found: (FrameUse) -> Void
  ) -> Bool {
    func visit<Format: EnumerablePagingFormat & X86PagingFormat>(
      _ regime: FormatRegime<Format>
    ) -> Bool {
      withoutActuallyEscaping(found) { found in
        var visitor = UseVisitor<Format>(
          format: regime.format, targets: targets.sorted(), root: space.tableAddress, found: found)
        let tables = PageTables(regime.format, root: regime.root)
        if case .exhausted = tables.walk(in: space.image, &visitor, &budget) { return false }
        return true
      }
    }
    return switch space.regime {
    case nil, .some(.none): true
    case .legacy32(let regime): visit(regime)
    case .pae(let regime): visit(regime)
    case .long4(let regime): visit(regime)
    case .long5(let regime): visit(regime)
    }
  }
}

private struct UseVisitor<Format: EnumerablePagingFormat & X86PagingFormat>: TableVisitor {
  typealias Answer = Never

  let format: Format
  let targets: [GPA]
  let root: GPA
  let found: (FrameUse) -> Void

  mutating func enter(_ table: TableVisit<Format>) -> VisitStep<Never> {
    let base = GPA(table.address)
    for target in targets where target.frame == base.frame {
      found(
        FrameUse(
          gpa: target, root: root, gva: table.input, role: .table, level: table.level,
          size: format.shape(at: table.level).size,
          permissions: format.permissions(of: table.rights)))
    }
    return .next
  }

  mutating func page(_ page: PageVisit<Format>) -> VisitStep<Never> {
    for target in targets where target.rawValue &- page.page.base < page.page.size.bytes {
      found(
        FrameUse(
          gpa: target, root: root,
          gva: page.input.wrappingAdd(target.rawValue &- page.page.base), role: .page,
          level: page.level, size: page.page.size,
          permissions: format.permissions(of: page.rights)))
    }
    return .next
  }
}

extension ImageAddressSpace {
  /// Where CR3 says that the tables begin, without its flags.
  public var tableAddress: GPA {
    switch regime {
    case .legacy32(let regime): GPA(regime.root.address)
    case .long4(let regime): GPA(regime.root.address)
    case .long5(let regime): GPA(regime.root.address)
    case .pae, nil: GPA(PDPTERegisters.table(cr3: registers.cr3))
    case .some(.none): GPA(registers.cr3)
    }
  }
}
