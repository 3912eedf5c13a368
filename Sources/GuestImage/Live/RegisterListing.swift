/// The registers that QEMU's `info registers` lists: each as `NAME=HEX`, blanks before the sign.
///
/// The layout differs between 32 and 64-bit code and between versions; only names and digits are
/// looked at, and the first of each name counts.
struct RegisterListing {
  private var values: [Substring: UInt64] = [:]

  init(_ text: String) {
    var rest = text[...]
    while let sign = rest.firstIndex(of: "=") {
      var nameEnd = sign
      while nameEnd > rest.startIndex, rest[rest.index(before: nameEnd)] == " " {
        nameEnd = rest.index(before: nameEnd)
      }
      var nameStart = nameEnd
      while nameStart > rest.startIndex, Self.isName(rest[rest.index(before: nameStart)]) {
        nameStart = rest.index(before: nameStart)
      }
      let name = rest[nameStart..<nameEnd]
      rest = rest[rest.index(after: sign)...]
      let digits = rest.prefix { $0.isASCII && $0.isHexDigit }
      if !name.isEmpty, values[name] == nil, let value = UInt64(digits, radix: 16) {
        values[name] = value
      }
      rest = rest[digits.endIndex...]
    }
  }

  private static func isName(_ character: Character) -> Bool {
    character.isASCII && (character.isLetter || character.isNumber)
  }

  /// The register of the first of these names that is listed.
  subscript(names: String...) -> UInt64? {
    for name in names { if let value = values[name[...]] { return value } }
    return nil
  }
}

extension VCPUState {
  /// The state that QEMU's monitor lists.
  ///
  /// - Throws: `QMPError.malformed` where a register is missing that decides about paging.
  init(monitor text: String, cpu: Int) throws(QMPError) {
    let listing = RegisterListing(text)
    func control(_ name: String) throws(QMPError) -> UInt64 {
      guard let value = listing[name] else {
        throw .malformed("info registers of vCPU \(cpu) without \(name)")
      }
      return value
    }
    let general = Self.generalRegisterNames.map { name -> UInt64 in
      let upper = name.uppercased()
      return listing[upper, "E" + upper.dropFirst()] ?? 0
    }
    self.init(
      cr0: try control("CR0"), cr2: listing["CR2"] ?? 0, cr3: try control("CR3"),
      cr4: try control("CR4"), efer: try control("EFER"), rip: listing["RIP", "EIP"] ?? 0,
      rflags: listing["RFL", "EFL"] ?? 0, generalRegisters: general,
      privilegeLevel: Int((listing["CPL"] ?? 0) & 3))
  }
}
