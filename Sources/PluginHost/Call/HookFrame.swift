internal import CFFI

/// How the memory of one call is laid out: the answer, the list of arguments, the values.
///
/// Words and pointers alone, so that handing it on counts no reference. Whoever makes one frees it, and
/// keeps the function alive.
@safe
struct HookFrame: Sendable {
  /// Where the values are, from the start. **Units** bytes.
  let valuesOffset: Int
  /// All of it. **Units** bytes.
  let size: Int
  private let answerSize: Int
  /// Up to the last value's end. **Units** bytes.
  private let writtenSize: Int
  private let slotCount: Int
  // SAFETY: written in `init`, constant from then on.
  private nonisolated(unsafe) let slots: UnsafeMutablePointer<Int>
  // SAFETY: the function that owns the interface outlives this.
  private nonisolated(unsafe) let plain: (ForeignFunction.Code, UnsafeMutablePointer<ffi_cif>)?

  /// A layout.
  ///
  /// - Parameters:
  ///   - function: what is called, where it is in this process.
  ///   - slots: where each argument's value stands among the values. **Units** bytes.
  init(
    _ function: ForeignFunction?, answerSize: Int, _ slots: [Int], _ descriptor: HookDescriptor
  ) {
    self.answerSize = answerSize
    slotCount = slots.count
    unsafe self.slots = .allocate(capacity: max(slots.count, 1))
    for (index, slot) in slots.enumerated() {
      unsafe (self.slots + index).initialize(to: slot)
    }
    valuesOffset = answerSize + (slots.count * MemoryLayout<UInt>.stride).roundedUp(to: 16)
    size = valuesOffset + descriptor.frameSize
    writtenSize = descriptor.writtenSize
    unsafe plain = unsafe function?.unlocked
  }

  /// Frees what the layout holds.
  func deallocate() { unsafe slots.deallocate() }

  /// Whether the function is in this process and takes no lock.
  var isPlain: Bool { unsafe plain != nil }

  /// Writes the values.
  @unsafe
  func write(
    _ values: UnsafeMutableRawPointer, context: UInt, _ fill: (inout FrameWriter) -> Void
  ) {
    var writer = unsafe FrameWriter(values)
    writer.put(context)
    fill(&writer)
    unsafe assert(writer.isAt(values + writtenSize))
  }

  /// Zeroes the answer and lists the arguments.
  @unsafe
  func prepare(_ base: UnsafeMutableRawPointer, values: UnsafeMutableRawPointer) {
    for offset in stride(from: 0, to: answerSize, by: 8) {
      unsafe base.storeBytes(of: 0, toByteOffset: offset, as: UInt64.self)
    }
    let list = unsafe list(in: base)
    for index in 0..<slotCount {
      unsafe list[index] = unsafe values + slots[index]
    }
  }

  /// Where the list of arguments is.
  @unsafe
  func list(in base: UnsafeMutableRawPointer) -> UnsafeMutablePointer<UnsafeMutableRawPointer?> {
    unsafe (base + answerSize).assumingMemoryBound(to: UnsafeMutableRawPointer?.self)
  }

  /// Calls the function. **Requires** `isPlain`.
  @unsafe
  func callPlain(_ base: UnsafeMutableRawPointer) {
    guard let (code, interface) = unsafe plain else { return }
    unsafe ffi_call(interface, code, base, list(in: base))
  }
}
