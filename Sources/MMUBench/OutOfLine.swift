import Paging
import X86
import X86Long

/// A regime behind a call that is not inlined: what a caller pays who keeps the walk in a function of
/// their own.
struct OutOfLine: TranslationRegime {
  typealias Input = GuestVirtual
  typealias Access = X86Access
  typealias Rights = X86Rights
  typealias Fault = X86Fault

  let base: FormatRegime<Long4>

  @inline(never)
  func translate<Memory: EntryMemory & ~Copyable, Strategy: WalkStrategy>(
    _ address: GVA, for access: X86Access, in memory: borrowing Memory, _ strategy: inout Strategy
  ) -> Result<Translation<Memory.Space, X86Rights>, WalkFailure<X86Fault, Memory.Failure>> {
    base.translate(address, for: access, in: memory, &strategy)
  }

  func permits(
    _ access: X86Access, rights: X86Rights, tables: X86Rights, leaf: UInt64
  ) -> Bool {
    base.permits(access, rights: rights, tables: tables, leaf: leaf)
  }

  func permissions(of rights: X86Rights) -> Permissions { base.permissions(of: rights) }

  func faultForUnreadableTable(
    _ address: GVA, for access: X86Access, at level: Level
  ) -> X86Fault {
    base.faultForUnreadableTable(address, for: access, at: level)
  }
}
