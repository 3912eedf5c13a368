public import Paging

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

  /// The encoder that a stack of plugins makes of the standard one: each is told the layout that the
  /// one before left, and each answer is checked (SPEC E17, H3, H4).
  ///
  /// - Throws: `PluginError.answer` with the rule, the clashing bits and their owner.
  public static func adjusted<Encoder: AdjustableEncoder>(
    _ encoder: Encoder, by plugins: [Plugin]
  ) throws(PluginError) -> Encoder {
    var encoder = encoder
    for plugin in plugins {
      guard let proposal = try plugin.layoutProposal(for: encoder.layout) else { continue }
      do {
        encoder = try encoder.adjusted(by: proposal)
      } catch {
        throw plugin.refusal(of: proposal, because: error)
      }
    }
    return encoder
  }
}
