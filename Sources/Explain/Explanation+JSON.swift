import Paging
public import Report
import X86

extension Explanation {
  /// One object; its keys are in docs/commands/explain.md.
  public var json: JSONLine {
    var line = JSONLine()
    line.add("va", situation.address)
    line.add("linear", linearAddress)
    line.add("access", accessJSON)
    line.add("mode", situation.registers.mode.rawValue)
    line.add("cr3", hex: situation.registers.cr3)
    line.add("entries", entries.map(\.json))
    line.add("rules", rules.map(\.json))
    line.add("outcome", outcomeJSON)
    line.add("memoryType", memoryType?.json)
    line.add("changes", remedies.map { $0.json(situation) })
    return line
  }

  private var accessJSON: JSONLine {
    let access = situation.access
    var line = JSONLine()
    line.add("kind", access.kind.description)
    line.add("user", access.isUser)
    line.add("implicit", access.isImplicit)
    line.add("ac", access.alignmentCheck)
    line.add("stack", access.isStack)
    line.add("shadowStack", access.isShadowStack)
    line.add("pkru", hex: UInt64(situation.registers.pkru))
    line.add("pkrs", hex: UInt64(situation.registers.pkrs))
    return line
  }

  private var outcomeJSON: JSONLine {
    var line = JSONLine()
    switch outcome {
    case .granted(let translation):
      line.add("ok", true)
      line.add("pa", translation.address)
      line.add("pageSize", hex: translation.pageSize.bytes)
      line.add("level", translation.level.rawValue)
      line.add("permissions", translation.rights.permissions.description)
    case .refused(let fault):
      line.add("ok", false)
      line.add("reason", fault.cause.description)
      line.add("level", fault.level.rawValue)
      line.add("vector", Int(fault.vector))
      line.add("error", hex: UInt64(fault.errorCode.rawValue))
      line.add("errorBits", errorCodeBits.map(\.json))
    case .tableUnreadable(let entry, let name, let level, _):
      line.addNull("ok")
      line.add("reason", "table unreadable")
      line.add("level", level.rawValue)
      line.add("name", name)
      line.add("gpa", entry)
    case .contended:
      line.addNull("ok")
      line.add("reason", "contended")
    }
    return line
  }
}

extension ExplainedEntry {
  var json: JSONLine {
    var line = JSONLine()
    line.add("level", level.rawValue)
    line.add("name", name)
    line.add("gpa", gpa)
    line.add("register", isRegister)
    line.add("value", hex: value)
    line.add("kind", kindWords)
    line.add("fields", EntryReport(value, fields: fields).json)
    return line
  }

  var kindWords: String {
    switch kind {
    case .notPresent: "not present"
    case .reserved: "reserved"
    case .table: "table"
    case .leaf: "leaf"
    }
  }
}

extension AccessRule {
  var json: JSONLine {
    var line = JSONLine()
    line.add("rule", name)
    line.add("source", source)
    line.add("verdict", verdict.rawValue)
    var looked = JSONLine()
    for value in values { looked.add(value.name, hex: value.value) }
    line.add("values", looked)
    line.add("words", words)
    return line
  }
}

extension ErrorCodeBit {
  var json: JSONLine {
    var line = JSONLine()
    line.add("bit", bit)
    line.add("name", name)
    line.add("set", isSet)
    line.add("why", why)
    return line
  }
}

extension Remedy {
  func json(_ situation: AccessSituation) -> JSONLine {
    var line = JSONLine()
    line.add("pa", leadsTo)
    line.add("steps", changes.map { $0.json(situation) })
    return line
  }
}

extension AccessChange {
  func json(_ situation: AccessSituation) -> JSONLine {
    var line = JSONLine()
    switch self {
    case .entryBit(let entry, let bit):
      line.add("change", "entry")
      line.add("name", entry.name)
      line.add("level", entry.level.rawValue)
      line.add("gpa", entry.gpa)
      line.add("bit", bit)
      line.add("from", hex: entry.value)
      line.add("to", hex: entry.value ^ 1 << UInt64(bit & 63))
    case .registerBit(let register):
      line.add("change", "register")
      line.add("name", register.name)
      line.add("to", register.isSet(in: situation) ? 0 : 1)
    case .address(let address):
      line.add("change", "address")
      line.add("to", address)
    }
    line.add("words", words(in: situation))
    return line
  }
}

extension EffectiveMemoryType {
  var json: JSONLine {
    var line = JSONLine()
    line.add("type", type.abbreviation)
    line.add("patIndex", index)
    line.add("pat", attribute.description)
    switch range {
    case .mtrr(let type): line.add("mtrr", type.abbreviation)
    case .ept(let type, let ignoresPAT):
      line.add("ept", type.abbreviation)
      line.add("ignoresPAT", ignoresPAT)
    }
    return line
  }
}

extension JSONLine {
  mutating func add(_ key: String, _ value: JSONLine?) {
    if let value { add(key, value) } else { addNull(key) }
  }
}
