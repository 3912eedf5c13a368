/// Writes the values of a hook's parameters into the frame of a call, one after the other.
@safe
struct FrameWriter {
  private var next: UnsafeMutableRawPointer

  @unsafe
  init(_ start: UnsafeMutableRawPointer) { unsafe next = unsafe start }

  /// Writes the next parameter's value.
  mutating func put<Value: BitwiseCopyable>(_ value: Value) {
    // SAFETY: each hook's caller writes the catalogue's types in order; debug builds check the end.
    unsafe next.storeBytes(of: value, as: Value.self)
    unsafe next += MemoryLayout<Value>.size.roundedUp(to: 8)
  }

  @unsafe
  func isAt(_ place: UnsafeMutableRawPointer) -> Bool { unsafe next == place }
}
