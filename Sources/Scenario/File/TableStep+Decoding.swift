import Paging

extension MapAction {
  init(_ body: YAMLValue, vcpus: VCPURange) throws(ScenarioError) {
    var map = try body.mapping("map")
    va = GVA(try map.need("va").number())
    gpa = GPA(try map.need("gpa").number(0...(1 << 52) - 1))
    byteCount = try map.need("size").number(1...1 << 48)
    permissions = try Permissions(map.need("permissions"))
    pageSize =
      try map.take("page-size")?.choice([
        "4 KiB": PageSize.size4KiB, "2 MiB": .size2MiB, "4 MiB": .size4MiB, "1 GiB": .size1GiB,
      ]) ?? .size4KiB
    tablesAt = try map.take("tables-at").map { value throws(ScenarioError) in
      GPA(try value.number(0...(1 << 52) - 1))
    }
    vcpu = try map.vcpu(vcpus)
    try map.finish()
    for (name, number) in [("va", va.rawValue), ("gpa", gpa.rawValue), ("size", byteCount)]
    where number & pageSize.offsetMask != 0 {
      throw body.error("\(name) is a multiple of the page size, \(pageSize)")
    }
    guard byteCount >> UInt64(pageSize.shift) <= Self.largestCount else {
      throw body.error("more than \(Self.largestCount) pages")
    }
    guard gpa.rawValue + byteCount <= 1 << 52 else {
      throw body.error("gpa and size pass the end of the 52-bit address space")
    }
    if let tablesAt, tablesAt.rawValue & 0xFFF != 0 {
      throw body.error("tables-at is a multiple of 4 KiB")
    }
  }
}

extension Permissions {
  /// Four characters, each its letter or `-`: `urwx`.
  init(_ value: YAMLValue) throws(ScenarioError) {
    let text = try value.string()
    let letters: [(Character, Permissions)] = [
      ("u", .user), ("r", .read), ("w", .write), ("x", .execute),
    ]
    var result: Permissions = []
    let isWellFormed =
      text.count == 4
      && zip(text, letters).allSatisfy { character, letter in
        if character == letter.0 { result.insert(letter.1) }
        return character == letter.0 || character == "-"
      }
    guard isWellFormed else {
      throw value.error("permissions are four characters such as urw- or -r-x")
    }
    self = result
  }
}

extension PokeAction {
  init(_ body: YAMLValue) throws(ScenarioError) {
    var map = try body.mapping("poke")
    gpa = GPA(try map.need("gpa").number(0...(1 << 52) - 1))
    if let text = map.take("text") {
      bytes = Array(try text.string().utf8)
    } else if let hex = map.take("bytes") {
      bytes = try Self.bytes(hex)
    } else {
      let size = try map.take("size")?.number(1...16).asInt ?? 8
      let value = try map.need("value").wideNumber()
      guard size == 16 || value >> UInt128(size * 8) == 0 else {
        throw body.error("the value does not fit \(size) bytes")
      }
      bytes = (0..<size).map { UInt8(truncatingIfNeeded: value >> UInt128($0 * 8)) }
    }
    try map.finish()
  }

  /// Pairs of hex digits.
  static func bytes(_ value: YAMLValue) throws(ScenarioError) -> [UInt8] {
    let digits = Array(try value.string().utf8.filter { $0 != UInt8(ascii: " ") })
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard index + 1 < digits.count,
        let byte = UInt8(
          String(decoding: digits[index...(index + 1)], as: UTF8.self), radix: 16),
        digits[index] != UInt8(ascii: "+")
      else { throw value.error("bytes are pairs of hex digits, such as f3aa48") }
      bytes.append(byte)
    }
    return bytes
  }
}
