public import Paging

/// The hooks that answer with a number, or with nothing; `nil` where the plugin does not serve them.
extension Plugin {
  /// Asks `prefetch_window` how many neighbours of a fault to map with it. **Units** pages, 0...512.
  ///
  /// - Throws: `PluginError.answer` for more.
  public func prefetchWindow(for fault: FaultInfo) throws(PluginError) -> Int? {
    guard let hook = hook(.prefetchWindow) else { return nil }
    return try number(hook, in: 0...512) { $0.put(fault) }
  }

  /// Asks `zap_policy` which of some tables to zap; also `nil` where there are none.
  ///
  /// A plugin that runs apart is shown the first 32.
  ///
  /// - Returns: an index of `candidates`.
  /// - Throws: `PluginError.answer` for any other number.
  public func zapChoice(among candidates: [ZapCandidate]) throws(PluginError) -> Int? {
    guard let hook = hook(.zapPolicy) else { return nil }
    let candidates = worker == nil ? candidates[...] : candidates.prefix(HookPointer.mostElements)
    guard let last = candidates.indices.last else { return nil }
    let gfns = candidates.map(\.gfn.rawValue)
    let levels = candidates.map { UInt32(clamping: $0.level.rawValue) }
    let ages = candidates.map(\.age)
    let answer = try unsafe gfns.withUnsafeBufferPointer { gfns throws(PluginError) in
      try unsafe levels.withUnsafeBufferPointer { levels throws(PluginError) in
        try unsafe ages.withUnsafeBufferPointer { ages throws(PluginError) in
          // SAFETY: the arrays outlive the call, which is all that the hook may use them for.
          let places = (
            UInt(bitPattern: gfns.baseAddress), UInt(bitPattern: levels.baseAddress),
            UInt(bitPattern: ages.baseAddress)
          )
          return try hook.call(context: context, as: UInt64.self) { frame in
            frame.put(UInt32(clamping: candidates.count))
            frame.put(places.0)
            frame.put(places.1)
            frame.put(places.2)
          }
        }
      }
    }
    return try checked(hook, answer, in: 0...last)
  }

  /// Asks `flood_threshold` after how many writes to a guest table its shadow goes.
  ///
  /// - Throws: `PluginError.answer` for 0.
  public func floodThreshold(gfn: GFN, standard: Int) throws(PluginError) -> Int? {
    guard let hook = hook(.floodThreshold) else { return nil }
    return try number(hook, in: 1...Int(UInt32.max)) {
      $0.put(gfn.rawValue)
      $0.put(UInt32(clamping: standard))
    }
  }

  /// Asks `nx_recovery` how many split pages to make large again.
  ///
  /// - Throws: `PluginError.answer` for more than there are.
  public func nxRecovery(splitCount: Int, standard: Int) throws(PluginError) -> Int? {
    guard let hook = hook(.nxRecovery) else { return nil }
    return try number(hook, in: 0...max(splitCount, 0)) {
      $0.put(UInt32(clamping: splitCount))
      $0.put(UInt32(clamping: standard))
    }
  }

  /// Tells `on_event` of an event; `failure` says whether a plugin that runs apart survived it.
  public func tell(event: String, vcpu: Int, address: UInt64 = 0, value: UInt64 = 0) {
    guard let hook = hook(.onEvent) else { return }
    unsafe event.withCString { name in
      let name = UInt(bitPattern: name)
      _ = try? hook.call(context: context, as: UInt64.self) { frame in
        frame.put(name)
        frame.put(UInt32(clamping: vcpu))
        frame.put(address)
        frame.put(value)
      }
    }
  }

  private func number(
    _ hook: BoundHook, in range: ClosedRange<Int>, _ fill: (inout FrameWriter) -> Void
  ) throws(PluginError) -> Int {
    try checked(hook, try hook.call(context: context, as: UInt64.self, fill), in: range)
  }

  private func checked(
    _ hook: BoundHook, _ answer: UInt64, in range: ClosedRange<Int>
  ) throws(PluginError) -> Int {
    let number = Int(UInt32(truncatingIfNeeded: answer))
    guard range.contains(number) else {
      throw refusal(hook, "\(number)", "the answer is \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }
}
