/// Which cached translations an instruction or event drops.
public enum TLBInvalidation: Sendable, Hashable {
  /// None.
  case nothing
  /// One page, every fragment of it: in one address space, and its globals in all.
  case page(GVA, tag: UInt16)
  /// All but globals of one address space.
  case nonGlobals(tag: UInt16)
  /// All but globals of every address space.
  case allNonGlobals
  /// Everything.
  case everything
}
