internal import CMMUPlugin
internal import Paging

extension FrameWriter {
  /// The values of a fault's parameters, in the catalogue's order.
  mutating func put(_ fault: FaultInfo) {
    let access = UInt32(fault.kind.rawValue)
    let largest = UInt32(clamping: fault.largestLevel.rawValue)
    let vcpu = UInt32(clamping: fault.vcpu)
    put(fault.gpa.rawValue)
    put(fault.gva?.rawValue ?? 0)
    put(fault.gva != nil)
    put(access)
    put(fault.isUser)
    put(fault.hasSlot)
    put(largest)
    put(vcpu)
    let flags =
      (fault.isUser ? UInt32(MMU_PLUGIN_FAULT_USER) : 0)
      | (fault.hasSlot ? UInt32(MMU_PLUGIN_FAULT_SLOT) : 0)
      | (fault.gva != nil ? UInt32(MMU_PLUGIN_FAULT_HAS_GVA) : 0)
    put(
      mmu_plugin_fault(
        gpa: fault.gpa.rawValue, gva: fault.gva?.rawValue ?? 0, access: access, flags: flags,
        largest_level: largest, vcpu: vcpu))
  }
}

extension Plugin {
  /// The refusal of an answer that is not about a layout.
  func refusal(
    _ hook: BoundHook, _ value: String, _ rule: String, bits: UInt64 = 0, owner: String = ""
  ) -> PluginError {
    .answer(
      plugin: name, hook: hook.descriptor.name, value: value,
      LayoutError(layout: hook.symbol, rule: rule, bits: bits, owner: owner))
  }

  func verdict(
    _ hook: BoundHook, on fault: FaultInfo
  ) throws(PluginError) -> FaultVerdict {
    var answer = mmu_plugin_verdict()
    if hook.isShortForm {
      let number = try hook.call(context: context, as: UInt64.self) { $0.put(fault) }
      answer.verdict = UInt32(truncatingIfNeeded: number)
      if answer.verdict == MMU_PLUGIN_INJECT {
        throw refusal(hook, "\(answer.verdict)", "the short form cannot inject")
      }
    } else {
      answer = try hook.call(context: context, as: mmu_plugin_verdict.self) { $0.put(fault) }
    }
    // PERF: plugin.call; words only where something is refused.
    var value: String {
      "{verdict \(answer.verdict), vector \(answer.vector), error \(hex(answer.error))}"
    }
    guard answer.verdict == MMU_PLUGIN_INJECT else {
      guard answer.vector == 0, answer.error == 0 else {
        throw refusal(hook, value, "vector and error belong to verdict \(MMU_PLUGIN_INJECT) alone")
      }
      switch answer.verdict {
      case MMU_PLUGIN_PROCEED: return .proceed
      case MMU_PLUGIN_EMULATE: return .emulate
      case MMU_PLUGIN_DENY: return .deny
      case MMU_PLUGIN_EXIT: return .exit
      default:
        throw refusal(
          hook, value, "the verdict is \(MMU_PLUGIN_PROCEED) to \(MMU_PLUGIN_EXIT)")
      }
    }
    guard answer.vector < 32, answer.vector != 2 else {
      throw refusal(hook, value, "an exception's vector is 0 to 31 and not 2")
    }
    guard answer.error == 0 || Self.vectorsWithError.contains(answer.vector) else {
      throw refusal(hook, value, "exception \(answer.vector) has no error code")
    }
    return .inject(vector: UInt8(answer.vector), errorCode: answer.error)
  }

  /// **Source** Intel SDM Vol. 3A, "Exception and Interrupt Reference"; AMD APM Vol. 2, "Vectors".
  private static var vectorsWithError: [UInt32] { [8, 10, 11, 12, 13, 14, 17, 21, 29, 30] }

  func mappingLevel(
    _ hook: BoundHook, for fault: FaultInfo
  ) throws(PluginError) -> Level {
    let level = UInt32(
      truncatingIfNeeded: try hook.call(context: context, as: UInt64.self) { $0.put(fault) })
    guard 1...5 ~= level else { throw refusal(hook, "\(level)", "a level is 1 to 5") }
    return min(Level(Int(level)), fault.largestLevel)
  }

  func withheldPermissions(_ hook: BoundHook, gfn: GFN) throws(PluginError) -> Permissions {
    let bits = UInt32(
      truncatingIfNeeded: try hook.call(context: context, as: UInt64.self) { $0.put(gfn.rawValue) })
    let known = UInt32(Permissions.all.rawValue)
    guard bits & ~known == 0 else {
      throw refusal(hook, hex(bits), "permissions are bits 3:0", bits: UInt64(bits & ~known))
    }
    return Permissions(rawValue: UInt8(bits))
  }

  func memoryType(
    _ hook: BoundHook, gfn: GFN
  ) throws(PluginError) -> (type: MemoryType, ignoresPAT: Bool)? {
    let answer = try hook.call(context: context, as: mmu_plugin_memory_type.self) {
      $0.put(gfn.rawValue)
    }
    var value: String { "{type \(answer.type), ignore_pat \(answer.ignore_pat)}" }
    guard answer.ignore_pat <= 1 else { throw refusal(hook, value, "ignore_pat is 0 or 1") }
    if answer.type == MMU_PLUGIN_DEFAULT_TYPE { return nil }
    guard let type = MemoryType(rawValue: UInt8(exactly: answer.type) ?? 255) else {
      throw refusal(hook, value, "a memory type is 0, 1, 4, 5, 6 or 0xffffffff")
    }
    return (type, answer.ignore_pat == 1)
  }
}
