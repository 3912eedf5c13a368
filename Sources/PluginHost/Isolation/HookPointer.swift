internal import Glibc

/// A parameter of a hook whose value is an address: what lies there goes to a worker with the values.
struct HookPointer: Sendable {
  /// What the address is of.
  enum Target: Sendable {
    /// A text.
    case text
    /// As many elements as a `u32` in the frame says. **Units** bytes an element; place of the count.
    case array(elementSize: Int, countOffset: Int)
  }

  /// Where the address stands in the frame of values. **Units** bytes.
  let offset: Int
  /// What it is of.
  let target: Target

  /// The most elements of an array that go to a worker.
  static let mostElements = 32
  /// The longest text. **Units** bytes.
  private static let longestText = 256

  /// The addresses among a hook's parameters; `context` means something in the worker alone.
  static func all(of descriptor: HookDescriptor) -> [HookPointer] {
    let count = descriptor.parameters.firstIndex { $0.name == "candidate_count" }
    return zip(descriptor.parameters, descriptor.offsets).compactMap { parameter, offset in
      switch parameter.type {
      case .scalar(.cstr): return HookPointer(offset: offset, target: .text)
      case .scalar(.ptr):
        guard parameter.name != "context", let count else { return nil }
        return HookPointer(
          offset: offset,
          target: .array(
            elementSize: parameter.name == "levels" ? 4 : 8, countOffset: descriptor.offsets[count])
        )
      default: return nil
      }
    }
  }

  /// Copies what the address is of behind the values, and puts its place in the place of the address.
  ///
  /// - Returns: where the next may go.
  @unsafe
  func pack(_ values: UnsafeMutableRawPointer, end: Int) -> Int {
    let address = unsafe values.load(fromByteOffset: offset, as: UInt.self)
    unsafe values.storeBytes(of: UInt(end), toByteOffset: offset, as: UInt.self)
    guard let source = unsafe UnsafeRawPointer(bitPattern: address) else { return end }
    var size: Int
    switch target {
    case .text:
      size = unsafe strnlen(source.assumingMemoryBound(to: CChar.self), Self.longestText)
      unsafe values.storeBytes(of: 0, toByteOffset: end + size, as: UInt8.self)
    case .array(let elementSize, let countOffset):
      let count = Int(unsafe values.load(fromByteOffset: countOffset, as: UInt32.self))
      size = min(count, Self.mostElements) * elementSize
    }
    // SAFETY: the draft has room for the largest hook's values and three arrays or one text.
    unsafe (values + end).copyMemory(from: source, byteCount: size)
    return (end + size + 1).roundedUp(to: 16)
  }

  /// Turns a place in a received payload into an address.
  ///
  /// - Returns: false where the place is not in the payload.
  @unsafe
  func unpack(_ values: UnsafeMutableRawBufferPointer) -> Bool {
    guard let start = values.baseAddress else { return false }
    let place = unsafe start.load(fromByteOffset: offset, as: UInt.self)
    guard place <= UInt(values.count) else { return false }
    let address = UInt(bitPattern: start) + place
    unsafe start.storeBytes(of: address, toByteOffset: offset, as: UInt.self)
    return true
  }
}
