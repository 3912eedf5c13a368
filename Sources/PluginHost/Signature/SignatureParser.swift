/// Reads signatures; the text comes from a plugin or a scenario, so everything is bounded.
struct SignatureParser {
  /// Bounds that no sensible signature reaches.
  enum Limit {
    static let textBytes = 2048
    static let parameters = 32
    static let fields = 32
    static let nesting = 4
    /// Of one struct. Larger ones would not fit the frame of a call.
    static let structBytes = 256
  }

  private let bytes: [UInt8]
  private var index = 0

  init(_ text: String) throws(SignatureError) {
    bytes = Array(text.utf8.prefix(Limit.textBytes + 1))
    if bytes.count > Limit.textBytes {
      throw SignatureError(
        position: Limit.textBytes + 1, reason: "longer than \(Limit.textBytes) bytes")
    }
  }

  mutating func signature() throws(SignatureError) -> Signature {
    let returns = try type(nesting: 0)
    try expect("(", "'(' and the parameters")
    var parameters: [Signature.Parameter] = []
    skipSpace()
    if !take(")") {
      repeat {
        let start = skipSpace()
        let type = try type(nesting: 0)
        if type == .void {
          let isOnly = parameters.isEmpty && peek() == ")"
          if isOnly { break }
          throw SignatureError(position: start + 1, reason: "a parameter cannot be void")
        }
        let at = skipSpace()
        let name = try word("the parameter's name")
        if parameters.contains(where: { $0.name == name }) {
          throw SignatureError(position: at + 1, reason: "a second parameter '\(name)'")
        }
        parameters.append(Signature.Parameter(name, type))
        if parameters.count > Limit.parameters {
          throw SignatureError(
            position: at + 1, reason: "more than \(Limit.parameters) parameters")
        }
      } while take(",")
      try expect(")", "',' or ')'")
    }
    if peek() == ";" { index += 1 }
    if skipSpace() < bytes.count { throw wrong("the end") }
    return Signature(returns: returns, parameters: parameters)
  }

  private mutating func type(nesting: Int) throws(SignatureError) -> CType {
    let start = skipSpace()
    if take("{") { return try structure(nesting: nesting + 1, start: start) }
    let name = try word("a type")
    if name == "void" { return .void }
    guard let scalar = CType.Scalar(rawValue: name) else {
      throw SignatureError(
        position: start + 1,
        reason: "'\(name)' is not a type (void bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 ptr "
          + "cstr {…})")
    }
    return .scalar(scalar)
  }

  private mutating func structure(nesting: Int, start: Int) throws(SignatureError) -> CType {
    if nesting > Limit.nesting {
      throw SignatureError(
        position: start + 1, reason: "structs nest deeper than \(Limit.nesting)")
    }
    var fields: [CType.Field] = []
    var isNamed: Bool?
    while true {
      let at = skipSpace()
      let type = try type(nesting: nesting)
      if type == .void {
        throw SignatureError(position: at + 1, reason: "a member cannot be void")
      }
      let name = isWordStart(peek()) ? try word("the member's name") : nil
      if let isNamed, isNamed != (name != nil) {
        throw SignatureError(position: at + 1, reason: "either all members have names or none")
      }
      if let name, fields.contains(where: { $0.name == name }) {
        throw SignatureError(position: at + 1, reason: "a second member '\(name)'")
      }
      isNamed = name != nil
      fields.append(CType.Field(name, type))
      if fields.count > Limit.fields {
        throw SignatureError(position: at + 1, reason: "more than \(Limit.fields) members")
      }
      let separated = take(";") || take(",")
      if take("}") { break }
      if !separated { throw wrong("';', ',' or '}'") }
    }
    let result = CType.structure(fields)
    if result.layout.size > Limit.structBytes {
      throw SignatureError(
        position: start + 1, reason: "a struct of more than \(Limit.structBytes) bytes")
    }
    return result
  }
}

extension SignatureParser {
  @discardableResult
  private mutating func skipSpace() -> Int {
    while index < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[index]) { index += 1 }
    return index
  }

  private mutating func peek() -> Unicode.Scalar? {
    skipSpace() < bytes.count ? Unicode.Scalar(bytes[index]) : nil
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard peek() == character else { return false }
    index += 1
    return true
  }

  private mutating func expect(
    _ character: Unicode.Scalar, _ what: String
  ) throws(SignatureError) {
    if !take(character) { throw wrong(what) }
  }

  private mutating func word(_ what: String) throws(SignatureError) -> String {
    let start = skipSpace()
    guard isWordStart(peek()) else { throw wrong(what) }
    while index < bytes.count, isWordPart(bytes[index]) { index += 1 }
    return String(decoding: bytes[start..<index], as: UTF8.self)
  }

  private func isWordStart(_ character: Unicode.Scalar?) -> Bool {
    character.map { isWordPart(UInt8(truncatingIfNeeded: $0.value)) && !("0"..."9" ~= $0) } ?? false
  }

  private func isWordPart(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
      true
    default: false
    }
  }

  private mutating func wrong(_ expected: String) -> SignatureError {
    let place = skipSpace()
    let found =
      place < bytes.count
      ? (0x21...0x7E ~= bytes[place]
        ? "'\(Unicode.Scalar(bytes[place]))'" : "byte 0x" + String(bytes[place], radix: 16))
      : "the end"
    return SignatureError(position: place + 1, reason: "\(found) where \(expected) should be")
  }
}
