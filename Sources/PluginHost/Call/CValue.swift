/// A value of any C type, for calls whose signature is known at run time only: slower than a hook's
/// frame, and general.
package enum CValue: Sendable, Hashable {
  /// What a void function returns.
  case void
  /// A number or a pointer as its low bits, zero above.
  case integer(UInt64)
  /// `float` and `double`.
  case f32(Float), f64(Double)
  /// The members.
  case structure([CValue])
}

extension ForeignFunction {
  /// Calls the function. **Requires** values of the signature's types.
  package func call(_ values: [CValue]) -> CValue {
    let types = signature.parameters.map(\.type)
    var offsets: [Int] = []
    var size = answerSize
    for type in types {
      offsets.append(size)
      size += max(type.layout.size, 8).roundedUp(to: 16)
    }
    let frame = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
    defer { unsafe frame.deallocate() }
    unsafe frame.initializeMemory(as: UInt8.self, repeating: 0, count: size)
    var list: [UnsafeMutableRawPointer?] = unsafe []
    for (index, type) in types.enumerated() {
      let place = unsafe frame + offsets[index]
      unsafe values[index].store(as: type, to: place)
      unsafe list.append(place)
    }
    unsafe list.withUnsafeMutableBufferPointer {
      unsafe call(arguments: $0.baseAddress, answer: frame)
    }
    return unsafe CValue.load(signature.returns, from: frame, isAnswer: true)
  }
}

extension CValue {
  @unsafe
  fileprivate func store(as type: CType, to place: UnsafeMutableRawPointer) {
    switch (self, type) {
    case (.f32(let value), _): unsafe place.storeBytes(of: value, as: Float.self)
    case (.f64(let value), _): unsafe place.storeBytes(of: value, as: Double.self)
    case (.integer(let value), _):
      unsafe withUnsafeBytes(of: value.littleEndian) {
        // SAFETY: a scalar has 1 to 8 bytes; the place has at least as many.
        unsafe place.copyMemory(from: $0.baseAddress.unsafelyUnwrapped, byteCount: type.layout.size)
      }
    case (.structure(let values), .structure(let fields)):
      for ((value, field), offset) in zip(zip(values, fields), type.layout.offsets) {
        unsafe value.store(as: field.type, to: place + offset)
      }
    case (.void, _), (.structure, _): break
    }
  }

  @unsafe
  fileprivate static func load(
    _ type: CType, from place: UnsafeRawPointer, isAnswer: Bool = false
  ) -> CValue {
    switch type {
    case .void: return .void
    case .scalar(.f32): return .f32(unsafe place.load(as: Float.self))
    case .scalar(.f64): return .f64(unsafe place.load(as: Double.self))
    case .scalar(let scalar):
      // libffi widens a returned number to a whole register.
      let bits =
        isAnswer
        ? unsafe place.load(as: UInt64.self)
        : (0..<scalar.size).reduce(0) {
          unsafe $0 | UInt64(place.load(fromByteOffset: $1, as: UInt8.self)) << UInt64(8 * $1)
        }
      return .integer(scalar.size == 8 ? bits : bits & ((1 << UInt64(8 * scalar.size)) - 1))
    case .structure(let fields):
      return .structure(
        zip(fields, type.layout.offsets).map { unsafe load($0.type, from: place + $1) })
    }
  }
}
