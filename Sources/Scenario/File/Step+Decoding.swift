import Paging

extension Step {
  static var names: [String] {
    ["read", "write", "fetch", "map", "poke", "invlpg", "set-register", "repeat"]
  }

  init(_ value: YAMLValue, vcpus: Int) throws(ScenarioError) {
    line = value.line
    var map = try value.mapping()
    expectation = try map.take("expect").map { value throws(ScenarioError) in
      try Expectation(value)
    }
    let actions = map.pairs
    guard actions.count == 1, let (name, body) = actions.first else {
      let keys = actions.map { "'\($0.key.prefix(40))'" }.joined(separator: ", ")
      throw value.error(
        "a step is one of \(Self.names.joined(separator: ", ")), with 'expect' beside it"
          + (keys.isEmpty ? "" : "; here are \(keys)"))
    }
    action = try Action(name, body, vcpus: vcpus)
  }
}

extension Action {
  init(_ name: String, _ body: YAMLValue, vcpus: Int) throws(ScenarioError) {
    switch name {
    case "read": self = .access(try AccessAction(.read, body, vcpus: vcpus))
    case "write": self = .access(try AccessAction(.write, body, vcpus: vcpus))
    case "fetch": self = .access(try AccessAction(.fetch, body, vcpus: vcpus))
    case "map": self = .map(try MapAction(body, vcpus: vcpus))
    case "poke": self = .poke(try PokeAction(body))
    case "invlpg":
      var map = try body.mapping()
      let va = GVA(try map.need("va").number())
      self = .invalidatePage(va, vcpu: try map.vcpu(vcpus))
      try map.finish()
    case "set-register":
      var map = try body.mapping()
      let vcpu = try map.vcpu(vcpus)
      guard map.pairs.count == 1, let (register, value) = map.pairs.first,
        ["cr0", "cr3", "cr4", "efer", "pkru", "pkrs"].contains(register)
      else {
        throw body.error("one register is set at a time (cr0, cr3, cr4, efer, pkru, pkrs)")
      }
      let range: ClosedRange<UInt64> =
        register.hasPrefix("pk") ? 0...0xFFFF_FFFF : 0...UInt64.max
      self = .setRegister(register, try value.number(range), vcpu: vcpu)
    case "repeat": self = .repeated(try RepeatAction(body, vcpus: vcpus))
    default:
      throw body.error(
        "unknown step '\(name.prefix(40))' (allowed: \(Step.names.joined(separator: ", ")))")
    }
  }
}

extension YAMLMapping {
  /// The key `vcpu`, 0 where it is absent.
  mutating func vcpu(_ count: Int) throws(ScenarioError) -> Int {
    try take("vcpu")?.number(0...UInt64(count - 1)).asInt ?? 0
  }
}

extension AccessAction {
  init(_ kind: AccessKind, _ body: YAMLValue, vcpus: Int) throws(ScenarioError) {
    var map = try body.mapping()
    let va = GVA(try map.need("va").number())
    try self.init(kind, va, &map, body, vcpus: vcpus)
  }

  /// An access whose address comes from elsewhere.
  init(
    _ kind: AccessKind, _ va: GVA, _ map: inout YAMLMapping, _ body: YAMLValue, vcpus: Int
  ) throws(ScenarioError) {
    self.kind = kind
    self.va = va
    let isWrite = kind == .write
    let largest = isWrite ? 16 : UInt64(Self.largestSize)
    size = try map.take("size")?.number(1...largest).asInt ?? (kind == .fetch ? 1 : 8)
    value = 0
    form = .number
    if isWrite {
      value = try map.need("value").wideNumber()
      guard size == 16 || value >> UInt128(size * 8) == 0 else {
        throw body.error("the value does not fit \(size) bytes")
      }
    } else {
      form =
        try map.take("as")?.choice(["number": Form.number, "text": .text, "bytes": .bytes])
        ?? (size > 16 ? .bytes : .number)
      if form == .number, size > 16 { throw body.error("a number has at most 16 bytes") }
    }
    isUser = try map.take("user")?.flag() ?? false
    alignmentCheck = try map.take("ac")?.flag() ?? false
    isImplicit = try map.take("implicit")?.flag() ?? false
    vcpu = try map.vcpu(vcpus)
    try map.finish()
  }
}

extension MapAction {
  init(_ body: YAMLValue, vcpus: Int) throws(ScenarioError) {
    var map = try body.mapping()
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
    var map = try body.mapping()
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

extension RepeatAction {
  init(_ body: YAMLValue, vcpus: Int) throws(ScenarioError) {
    var map = try body.mapping()
    count = try map.need("count").number(1...Self.largestCount).asInt
    let seed = try map.take("seed")?.number() ?? 1
    pattern =
      try map.take("pattern")?.choice([
        "sequential": Pattern.sequential, "random": .random(seed: seed),
      ]) ?? .sequential
    let bounds = try map.need("range").list()
    guard bounds.count == 2 else { throw body.error("a range is two addresses: [first, end]") }
    let (low, high) = (try bounds[0].number(), try bounds[1].number())
    var inner = try map.need("access").mapping()
    let kinds: [(String, AccessKind)] = [("read", .read), ("write", .write), ("fetch", .fetch)]
    guard inner.pairs.count == 1, let (name, value) = inner.pairs.first,
      let (_, kind) = kinds.first(where: { $0.0 == name })
    else { throw body.error("the access is one of read, write, fetch") }
    _ = inner.take(name)
    var parts = try value.mapping()
    access = try AccessAction(kind, GVA(low), &parts, value, vcpus: vcpus)
    guard access.size <= 16 else { throw body.error("an access has at most 16 bytes") }
    guard low < high, high - low >= UInt64(access.size) else {
      throw body.error("the range is empty, or smaller than the access")
    }
    range = low..<high
    try map.finish()
  }
}
