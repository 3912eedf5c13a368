/// The software side of an SPTE layout, as the hook `spte_layout` may change it.
public struct SPTELayoutProposal: Sendable, Hashable {
  /// What an entry that maps nothing holds, and one that is being changed.
  public var nonPresent, frozen: UInt64
  /// The masks of the fields of the same role; 0 where the layout lacks the field.
  public var mmuPresent, adKind, hostWritable, mmuWritable: UInt64

  /// What a layout says now.
  public init(_ layout: SPTELayout) {
    nonPresent = layout.nonPresent.rawValue
    frozen = layout.frozen.rawValue
    mmuPresent = layout.masks.mmuPresent
    adKind = layout.masks.adKind
    hostWritable = layout.masks.hostWritable
    mmuWritable = layout.masks.mmuWritable
  }

  /// A layout's fields with the proposed bits; composing them into a layout does all other checks.
  ///
  /// - Throws: `LayoutError` where a mask is not one run of bits of the field's width, or is given
  ///   for a field that the layout lacks.
  public func applied(
    to fields: [SPTEField], layout: String
  ) throws(LayoutError) -> [SPTEField] {
    var result = fields
    for (role, mask) in [
      (SPTEField.Role.mmuPresent, mmuPresent), (.adKind, adKind), (.hostWritable, hostWritable),
      (.mmuWritable, mmuWritable),
    ] {
      guard let index = result.firstIndex(where: { $0.role == role }) else {
        if mask == 0 { continue }
        throw LayoutError(
          layout: layout, rule: "the layout has no such field", bits: mask, owner: role.rawValue)
      }
      let old = result[index].field
      let low = mask.trailingZeroBitCount
      guard mask.nonzeroBitCount == old.bits.count, low < 64,
        64 - mask.leadingZeroBitCount - low == old.bits.count
      else {
        throw LayoutError(
          layout: layout, rule: "the field needs one run of \(old.bits.count) bits", bits: mask,
          owner: old.name)
      }
      result[index] = SPTEField(
        role, in: result[index].forms,
        BitField(
          old.name, low...(low + old.bits.count - 1), old.meaning, source: old.source,
          whyFree: old.whyFree))
    }
    return result
  }
}
