public import Paging
public import X86

extension X86Regime {
  /// Walks in the selected mode, beginning at the lowest table that the caches know; 32-bit modes look
  /// at bits 31:0 of the address alone.
  ///
  /// - Parameters:
  ///   - address: the address to translate.
  ///   - access: what is asked.
  ///   - memory: where the tables are.
  ///   - strategy: what the walk does besides finding the page.
  ///   - tag: the address space, such as `X86Processor.addressSpaceTag`.
  ///   - cache: of one processor; see `StructureCache.invalidate(_:)` for what keeps it right.
  public func translate<Memory: EntryMemory & ~Copyable, Strategy: WalkStrategy>(
    _ address: GVA, for access: X86Access, in memory: borrowing Memory,
    _ strategy: inout Strategy, tag: UInt16 = 0, through cache: inout StructureCache<X86Rights>
  ) -> Result<Translation<Memory.Space, X86Rights>, WalkFailure<X86Fault, Memory.Failure>> {
    switch self {
    case .none: translate(address, for: access, in: memory, &strategy)
    case .legacy32(let regime):
      regime.translate(
        address.wrapped32, for: access, in: memory, &strategy, tag: tag, through: &cache)
    case .pae(let regime):
      regime.translate(
        address.wrapped32, for: access, in: memory, &strategy, tag: tag, through: &cache)
    case .long4(let regime):
      regime.translate(address, for: access, in: memory, &strategy, tag: tag, through: &cache)
    case .long5(let regime):
      regime.translate(address, for: access, in: memory, &strategy, tag: tag, through: &cache)
    }
  }
}
