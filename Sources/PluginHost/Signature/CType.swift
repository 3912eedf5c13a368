/// A C type that a signature can name (SPEC H1).
public indirect enum CType: Sendable, Hashable {
  /// Nothing; a return type only.
  case void
  /// A number or a pointer.
  case scalar(Scalar)
  /// A struct, passed by value. **Requires** at least one field.
  case structure([Field])

  /// A number or a pointer; the raw value is its name in a signature.
  public enum Scalar: String, Sendable, Hashable, CaseIterable {
    /// `_Bool`.
    case bool
    /// A signed integer of 8 to 64 bits.
    case i8, i16, i32, i64
    /// An unsigned integer of 8 to 64 bits.
    case u8, u16, u32, u64
    /// `float` and `double`.
    case f32, f64
    /// `void *`.
    case ptr
    /// `const char *`, UTF-8 with a final NUL.
    case cstr
  }

  /// A member of a struct.
  public struct Field: Sendable, Hashable {
    /// Its name, or `nil` in the short form `{u64,u64}`.
    public let name: String?
    /// Its type, never `void`.
    public let type: CType

    /// A member.
    public init(_ name: String?, _ type: CType) {
      self.name = name
      self.type = type
    }
  }
}

extension CType {
  static var bool: CType { .scalar(.bool) }
  static var u32: CType { .scalar(.u32) }
  static var u64: CType { .scalar(.u64) }
  static var ptr: CType { .scalar(.ptr) }
  static var cstr: CType { .scalar(.cstr) }

  /// The type without the names of fields.
  var unnamed: CType {
    guard case .structure(let fields) = self else { return self }
    return .structure(fields.map { Field(nil, $0.type.unnamed) })
  }

  /// Whether a type in a signature is this one: the same members, and where it names them the same
  /// names, so that a `mask` cannot be taken for a `value`.
  func accepts(_ given: CType) -> Bool {
    guard case .structure(let mine) = self, case .structure(let theirs) = given else {
      return self == given
    }
    return mine.count == theirs.count
      && zip(mine, theirs).allSatisfy {
        ($1.name == nil || $0.name == $1.name) && $0.type.accepts($1.type)
      }
  }
}

extension CType: CustomStringConvertible {
  /// The type as signatures write it.
  public var description: String {
    switch self {
    case .void: return "void"
    case .scalar(let scalar): return scalar.rawValue
    case .structure(let fields):
      guard fields.contains(where: { $0.name != nil }) else {
        return "{" + fields.map(\.type.description).joined(separator: ",") + "}"
      }
      return "{"
        + fields.map { "\($0.type)" + ($0.name.map { " " + $0 } ?? "") + ";" }
        .joined(separator: " ") + "}"
    }
  }
}
