extension CType {
  /// Where a type's bytes are: each member at its natural alignment, as every C ABI in use lays out
  /// such structs. Compared with what libffi computes before anything is called.
  struct Layout: Sendable, Hashable {
    /// **Units** bytes.
    var size: Int
    /// **Units** bytes, a power of two.
    var alignment: Int
    /// Where each member starts; empty for a scalar. **Units** bytes.
    var offsets: [Int] = []
  }

  /// The layout; size 0 for `void`.
  var layout: Layout {
    switch self {
    case .void: return Layout(size: 0, alignment: 1)
    case .scalar(let scalar): return Layout(size: scalar.size, alignment: scalar.size)
    case .structure(let fields):
      var result = Layout(size: 0, alignment: 1)
      for field in fields {
        let part = field.type.layout
        let start = result.size.roundedUp(to: part.alignment)
        result.offsets.append(start)
        result.size = start + part.size
        result.alignment = max(result.alignment, part.alignment)
      }
      result.size = result.size.roundedUp(to: result.alignment)
      return result
    }
  }
}

extension CType.Scalar {
  /// **Units** bytes.
  var size: Int {
    switch self {
    case .bool, .i8, .u8: 1
    case .i16, .u16: 2
    case .i32, .u32, .f32: 4
    case .i64, .u64, .f64: 8
    case .ptr, .cstr: MemoryLayout<UInt>.size
    }
  }
}

extension Int {
  /// **Requires** a power of two, and a sum that an `Int` holds.
  func roundedUp(to alignment: Int) -> Int { (self + alignment - 1) & ~(alignment - 1) }
}
