internal import CMMUPlugin
public import Paging

extension Plugin {
  /// Asks the hook `mmio_spte_mask`; `nil` where the plugin does not serve it.
  ///
  /// The answer is not checked here: composing a layout with it does that (SPEC E6, H3).
  ///
  /// - Parameters:
  ///   - maxphyaddr: the machine's physical address width. **Units** bits.
  ///   - encoder: the entries' name, such as `ept`.
  ///   - encryptionMask: the memory-encryption bits of an address.
  ///   - standard: the mask that counts without the plugin.
  /// - Throws: `PluginError.crashed`.
  public func mmioMask(
    maxphyaddr: Int, encoder: String, encryptionMask: UInt64 = 0, standard: MMIOMask?
  ) throws(PluginError) -> MMIOMask? {
    guard let hook = hook(.mmioSPTEMask) else { return nil }
    return try Self.withCString(encoder) { name throws(PluginError) in
      func fill(_ frame: inout FrameWriter) {
        frame.put(UInt32(clamping: maxphyaddr))
        frame.put(encryptionMask)
        frame.put(name)
        frame.put(standard?.value ?? 0)
        frame.put(standard?.mask ?? 0)
        frame.put(standard?.accessMask ?? 0)
      }
      if hook.isShortForm {
        let bits = try hook.call(context: context, as: UInt64.self, fill)
        return MMIOMask(value: bits, mask: bits, accessMask: 0)
      }
      let answer = try hook.call(context: context, as: mmu_plugin_mmio_mask.self, fill)
      return MMIOMask(value: answer.value, mask: answer.mask, accessMask: answer.access)
    }
  }

  /// Lends a text as a C string's address.
  static func withCString<Value>(
    _ text: String, _ body: (UInt) throws(PluginError) -> Value
  ) throws(PluginError) -> Value {
    // PERF: plugin.call; a short text is lent from the stack.
    try unsafe text.withCString { text in
      Result { () throws(PluginError) in try body(UInt(bitPattern: text)) }
    }.get()
  }

  /// The mask that a stack of plugins makes of the standard one: each is told what the one before
  /// answered, the last answer counts (SPEC H4) and is checked.
  ///
  /// - Parameters:
  ///   - plugins: in the order in which they are asked.
  ///   - maxphyaddr: the machine's physical address width. **Units** bits.
  ///   - encoder: the entries' name, such as `ept`.
  ///   - encryptionMask: the memory-encryption bits of an address.
  ///   - standard: the mask that counts without plugins.
  ///   - check: composes the layout with the mask; not called where no plugin answers.
  /// - Throws: `PluginError.answer` with the rule, the clashing bits and their owner.
  public static func mmioMask(
    of plugins: [Plugin], maxphyaddr: Int, encoder: String, encryptionMask: UInt64 = 0,
    standard: MMIOMask?, check: (MMIOMask) throws(LayoutError) -> Void
  ) throws(PluginError) -> MMIOMask? {
    var mask = standard
    var last: Plugin?
    for plugin in plugins {
      guard
        let answer = try plugin.mmioMask(
          maxphyaddr: maxphyaddr, encoder: encoder, encryptionMask: encryptionMask,
          standard: mask)
      else { continue }
      mask = answer
      last = plugin
    }
    guard let last, let mask else { return standard }
    do {
      try check(mask)
    } catch {
      throw PluginError.answer(
        plugin: last.name, hook: HookDescriptor.mmioSPTEMask.name,
        value: "{value \(hex(mask.value)), mask \(hex(mask.mask)), access "
          + "\(hex(mask.accessMask))}", error)
    }
    return mask
  }
}
