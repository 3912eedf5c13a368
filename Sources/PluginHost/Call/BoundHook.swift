/// A plugin's function on a hook, ready to be called.
// PERF: plugin.call; a class, since a struct of so many references costs a count of each per copy.
final class BoundHook: Sendable {
  /// Where the function is.
  private enum Callee: Sendable {
    /// In this process.
    case here(ForeignFunction)
    /// In a worker, by number.
    case worker(PluginWorker, index: Int)
  }

  /// The hook.
  let descriptor: HookDescriptor
  /// The function's name.
  let symbol: String
  /// Whether the function returns the hook's short form.
  let isShortForm: Bool
  /// The function's type.
  let signature: Signature
  /// The bytes that an answer may take. **Units** bytes.
  let answerSize: Int
  private let callee: Callee
  private let pointers: [HookPointer]
  private let frame: HookFrame

  /// Checks a signature against a hook and prepares the call.
  convenience init(
    _ binding: HookBinding, in library: SharedLibrary, isThreadSafe: Bool
  ) throws(PluginError) {
    try self.init(binding, path: library.path) { signature throws(PluginError) in
      let function = try ForeignFunction(
        binding.symbol, in: library, as: signature, isThreadSafe: isThreadSafe)
      return (.here(function), function.answerSize)
    }
  }

  /// A hook of a plugin that a worker has loaded.
  convenience init(
    _ binding: HookBinding, of worker: PluginWorker, index: Int, path: String
  ) throws(PluginError) {
    try self.init(binding, path: path) { signature throws(PluginError) in
      (.worker(worker, index: index), ForeignFunction.answerSize(of: signature))
    }
  }

  private init(
    _ binding: HookBinding, path: String,
    _ prepare: (Signature) throws(PluginError) -> (Callee, Int)
  ) throws(PluginError) {
    guard let descriptor = HookDescriptor.named(binding.hook) else {
      throw PluginError.hook(
        path: path, hook: binding.hook,
        reason: "does not exist (\(HookDescriptor.all.map(\.name).joined(separator: ", ")))")
    }
    do {
      signature = try Signature(parsing: binding.signature)
    } catch {
      throw PluginError.signature(
        path: path, hook: binding.hook, text: binding.signature, error)
    }
    self.descriptor = descriptor
    symbol = binding.symbol
    let slots = try descriptor.slots(for: signature, path: path)
    isShortForm = !descriptor.returns[0].accepts(signature.returns)
    pointers = HookPointer.all(of: descriptor)
    (callee, answerSize) = try prepare(signature)
    let function: ForeignFunction? = if case .here(let function) = callee { function } else { nil }
    frame = HookFrame(function, answerSize: answerSize, slots, descriptor)
  }

  deinit { frame.deallocate() }

  /// Calls the function.
  ///
  /// - Parameters:
  ///   - context: the value of the parameter `context`.
  ///   - answer: how to read what it returns: a struct of the hook's full form, `UInt64` for
  ///     numbers, of which the caller keeps the low bits.
  ///   - fill: writes all other values, in the catalogue's order.
  /// - Throws: `PluginError.crashed` where a worker is gone; never for a function in this process.
  func call<Answer: BitwiseCopyable>(
    context: UInt, as answer: Answer.Type, _ fill: (inout FrameWriter) -> Void
  ) throws(PluginError) -> Answer {
    assert(MemoryLayout<Answer>.size <= answerSize)
    // PERF: `plugin.call`. Plain words, so that nothing is counted; a frame is below the 1024 bytes that
    // such allocations keep on the stack (answer and list of at most 256 each, the largest hook's
    // values), so nothing is allocated either.
    let frame = frame
    guard frame.isPlain else { return try slowCall(context: context, as: answer, fill) }
    return unsafe withUnsafeTemporaryAllocation(byteCount: frame.size, alignment: 16) { place in
      guard let base = place.baseAddress else {
        preconditionFailure("a frame has at least an answer")
      }
      unsafe frame.write(base + frame.valuesOffset, context: context, fill)
      unsafe frame.prepare(base, values: base + frame.valuesOffset)
      unsafe frame.callPlain(base)
      return unsafe base.load(as: Answer.self)
    }
  }

  /// Calls a function that takes a lock or runs elsewhere.
  @inline(never)
  private func slowCall<Answer: BitwiseCopyable>(
    context: UInt, as answer: Answer.Type, _ fill: (inout FrameWriter) -> Void
  ) throws(PluginError) -> Answer {
    switch callee {
    case .here(let function):
      return unsafe withUnsafeTemporaryAllocation(byteCount: frame.size, alignment: 16) { place in
        guard let base = place.baseAddress else {
          preconditionFailure("a frame has at least an answer")
        }
        unsafe frame.write(base + frame.valuesOffset, context: context, fill)
        unsafe frame.prepare(base, values: base + frame.valuesOffset)
        unsafe function.call(arguments: frame.list(in: base), answer: base)
        return unsafe base.load(as: Answer.self)
      }
    case .worker(let worker, let index):
      let answer = UnsafeMutableRawPointer.allocate(byteCount: answerSize, alignment: 16)
      defer { unsafe answer.deallocate() }
      try unsafe worker.call(
        descriptor, index: index, answer: answer, answerSize: answerSize
      ) { values in
        unsafe frame.write(values, context: 0, fill)
        return pointers.reduce(descriptor.frameSize) { end, pointer in
          unsafe pointer.pack(values, end: end)
        }
      }
      return unsafe answer.load(as: Answer.self)
    }
  }

  /// Calls the function for a machine in another process.
  ///
  /// - Parameters:
  ///   - payload: the values, and what they point to.
  ///   - answer: where `answerSize` bytes go.
  /// - Returns: false where the values are not this hook's.
  @unsafe
  func perform(
    _ payload: UnsafeMutableRawBufferPointer, context: UInt, answer: UnsafeMutableRawPointer
  ) -> Bool {
    guard case .here(let function) = callee, let values = payload.baseAddress,
      payload.count >= descriptor.frameSize
    else { return false }
    unsafe values.storeBytes(of: context, as: UInt.self)
    for pointer in pointers {
      guard unsafe pointer.unpack(payload) else { return false }
    }
    unsafe withUnsafeTemporaryAllocation(byteCount: frame.valuesOffset, alignment: 16) { place in
      guard let base = place.baseAddress else { return }
      unsafe frame.prepare(base, values: values)
      unsafe function.call(arguments: frame.list(in: base), answer: base)
      // The services that the function called have used the payload: it is written last.
      unsafe answer.copyMemory(from: base, byteCount: answerSize)
    }
    return true
  }
}
