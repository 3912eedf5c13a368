public import Paging

/// What trying each hook of a plugin gave, for `mmu plugin check`.
public struct PluginReport: Sendable {
  /// One call of one hook.
  public struct Trial: Sendable, Hashable {
    /// The hook.
    public let hook: String
    /// What was asked.
    public let question: String
    /// What came back, in words.
    public let answer: String
  }

  /// An encoder to ask a mask for.
  public struct MaskSample: Sendable {
    let encoder: String
    let maxphyaddr: Int
    let standard: MMIOMask?
    let compose: @Sendable (MMIOMask) throws(LayoutError) -> Void

    /// An encoder at a physical address width.
    ///
    /// - Parameters:
    ///   - encoder: the entries' name, such as `ept`.
    ///   - maxphyaddr: the machine's physical address width. **Units** bits.
    ///   - standard: the mask that counts without the plugin.
    ///   - compose: composes the encoder with a mask, which checks it.
    public init(
      encoder: String, maxphyaddr: Int, standard: MMIOMask?,
      compose: @escaping @Sendable (MMIOMask) throws(LayoutError) -> Void
    ) {
      self.encoder = encoder
      self.maxphyaddr = maxphyaddr
      self.standard = standard
      self.compose = compose
    }
  }

  /// Entries to ask for another layout of.
  public struct LayoutSample: Sendable {
    let layout: SPTELayout
    let compose: @Sendable (SPTELayoutProposal) throws(LayoutError) -> Void

    /// An encoder, which checks each proposal by composing itself anew.
    public init(_ encoder: some AdjustableEncoder) {
      layout = encoder.layout
      compose = { proposal throws(LayoutError) in _ = try encoder.adjusted(by: proposal) }
    }
  }

  /// The calls, in the order in which they were made.
  public private(set) var trials: [Trial] = []
  /// Hooks that were not called, since nothing here can judge their answers.
  public private(set) var untried: [String] = []

  /// Tries every hook that a plugin serves with sample parameters.
  ///
  /// - Throws: `PluginError.answer` for the first answer that is out of range.
  public init(
    trying plugin: Plugin, masks: [MaskSample], layouts: [LayoutSample] = []
  ) throws(PluginError) {
    for hook in plugin.hooks {
      let count = trials.count
      try attempt(hook, of: plugin, masks: masks, layouts: layouts)
      if trials.count == count { untried.append(hook.descriptor.name) }
    }
  }

  private mutating func attempt(
    _ hook: BoundHook, of plugin: Plugin, masks: [MaskSample], layouts: [LayoutSample]
  ) throws(PluginError) {
    let name = hook.descriptor.name
    func add(_ question: String, _ answer: String, to trials: inout [Trial]) {
      trials.append(Trial(hook: name, question: question, answer: answer))
    }
    switch name {
    case HookDescriptor.mmioSPTEMask.name:
      for sample in masks {
        let mask = try Plugin.mmioMask(
          of: [plugin], maxphyaddr: sample.maxphyaddr, encoder: sample.encoder,
          standard: sample.standard, check: sample.compose)
        guard let mask else { continue }
        add(
          "\(sample.encoder), maxphyaddr \(sample.maxphyaddr)",
          "value \(hex(mask.value)), mask \(hex(mask.mask)), access \(hex(mask.accessMask))",
          to: &trials)
      }
    case HookDescriptor.spteLayout.name:
      // Bits that are free in one format may be taken in another: one that accepts them is enough.
      var refusal: PluginError?
      var isAccepted = false
      for sample in layouts {
        guard let proposal = try plugin.layoutProposal(for: sample.layout) else { continue }
        let question = "\(sample.layout.name), maxphyaddr \(sample.layout.physicalAddressWidth)"
        do {
          try sample.compose(proposal)
          isAccepted = true
          let isStandard = proposal == SPTELayoutProposal(sample.layout)
          add(question, isStandard ? "as it is" : proposal.inWords, to: &trials)
        } catch {
          refusal = refusal ?? plugin.refusal(of: proposal, because: error)
          add(question, "refused: \(error)", to: &trials)
        }
      }
      if !isAccepted, let refusal { throw refusal }
    case HookDescriptor.faultPolicy.name:
      for fault in Self.faults {
        add(fault.summary, "\(try plugin.verdict(hook, on: fault))", to: &trials)
      }
    case HookDescriptor.mappingLevel.name:
      for fault in Self.faults {
        add(fault.summary, "level \(try plugin.mappingLevel(hook, for: fault))", to: &trials)
      }
    case HookDescriptor.prefetchWindow.name:
      for fault in Self.faults {
        let window = try plugin.prefetchWindow(for: fault) ?? 0
        add(fault.summary, "\(window) neighbours", to: &trials)
      }
    case HookDescriptor.gfnAccess.name:
      for gfn in Self.frames {
        let withheld = try plugin.withheldPermissions(hook, gfn: gfn)
        add("gfn \(gfn)", "takes away \(withheld)", to: &trials)
      }
    case HookDescriptor.memoryType.name:
      for gfn in Self.frames {
        let answer = try plugin.memoryType(hook, gfn: gfn)
        add(
          "gfn \(gfn)",
          answer.map { "\($0.type)" + ($0.ignoresPAT ? ", ignoring PAT" : "") } ?? "default",
          to: &trials)
      }
    case HookDescriptor.zapPolicy.name:
      let candidates = [1, 2, 3].map {
        ZapCandidate(gfn: GFN($0 << 9), level: .pageTable, age: 10 - $0)
      }
      let choice = try plugin.zapChoice(among: candidates) ?? 0
      add("3 candidates", "number \(choice)", to: &trials)
    case HookDescriptor.floodThreshold.name:
      let threshold = try plugin.floodThreshold(gfn: GFN(1), standard: 3) ?? 3
      add("gfn 0x1, default 3", "\(threshold)", to: &trials)
    case HookDescriptor.nxRecovery.name:
      let count = try plugin.nxRecovery(splitCount: 100, standard: 10) ?? 10
      add("100 split, default 10", "\(count)", to: &trials)
    case HookDescriptor.onEvent.name:
      plugin.tell(event: "check", vcpu: 0)
      if let failure = plugin.failure { throw failure }
      add("event check", "returned", to: &trials)
    default:
      // A device's registers may have effects of their own.
      break
    }
  }

  private static var frames: [GFN] { [GFN(0), GFN(0x100), GFN(0xFE000), GFN(1 << 39)] }

  private static var faults: [FaultInfo] {
    [
      (0x1000, nil, AccessKind.read, false, true), (0x20_0000, 0x40_0000, .write, true, true),
      (0xFE00_0000, nil, .write, false, false), (0x1_0000_0000, 0x7FFF_F000, .fetch, true, true),
    ].map { (gpa: UInt64, gva: UInt64?, kind, isUser, hasSlot) in
      FaultInfo(
        gpa: GPA(gpa), gva: gva.map { GVA($0) }, kind: kind, isUser: isUser, hasSlot: hasSlot,
        largestLevel: hasSlot ? .directory : .pageTable, vcpu: 0)
    }
  }
}

extension SPTELayoutProposal {
  fileprivate var inWords: String {
    "not present \(hex(nonPresent)), frozen \(hex(frozen)), MMU-present \(hex(mmuPresent)),"
      + " A/D kind \(hex(adKind)), host-writable \(hex(hostWritable)),"
      + " MMU-writable \(hex(mmuWritable))"
  }
}

extension FaultInfo {
  fileprivate var summary: String {
    "\(kind) of gpa \(gpa)" + (isUser ? ", user" : "") + (hasSlot ? "" : ", no memslot")
  }
}
