public import Paging

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

extension Plugin {
  /// Asks the hook `spte_layout` what to make of a layout; `nil` where the plugin does not serve it.
  ///
  /// - Throws: `PluginError.crashed`.
  public func layoutProposal(
    for layout: SPTELayout
  ) throws(PluginError) -> SPTELayoutProposal? {
    guard let hook = hook(.spteLayout) else { return nil }
    var proposal = SPTELayoutProposal(layout)
    let old = proposal
    let answer = try Self.withCString(layout.name) { name throws(PluginError) in
      try hook.call(context: context, as: [6 of UInt64].self) { frame in
        frame.put(UInt32(clamping: layout.physicalAddressWidth))
        frame.put(name)
        frame.put(old.nonPresent)
        frame.put(old.frozen)
        frame.put(old.mmuPresent)
        frame.put(old.adKind)
        frame.put(old.hostWritable)
        frame.put(old.mmuWritable)
      }
    }
    proposal.nonPresent = answer[0]
    proposal.frozen = answer[1]
    proposal.mmuPresent = answer[2]
    proposal.adKind = answer[3]
    proposal.hostWritable = answer[4]
    proposal.mmuWritable = answer[5]
    return proposal
  }

  /// The refusal of what this plugin answered to `spte_layout`.
  public func refusal(of proposal: SPTELayoutProposal, because error: LayoutError) -> PluginError {
    let values = [
      proposal.nonPresent, proposal.frozen, proposal.mmuPresent, proposal.adKind,
      proposal.hostWritable, proposal.mmuWritable,
    ]
    return .answer(
      plugin: name, hook: HookDescriptor.spteLayout.name,
      value: "{" + values.map { hex($0) }.joined(separator: ", ") + "}", error)
  }
}
