import Paging
public import Report
import X86

extension AccessCase {
  /// The case as one object, as `init(from:)` reads it.
  public var json: JSONLine {
    var line = JSONLine()
    line.add("id", id)
    line.add("mode", mode.rawValue)
    line.add("cr0", hex: registers.cr0.rawValue)
    line.add("cr3", hex: registers.cr3)
    line.add("cr4", hex: registers.cr4.rawValue)
    line.add("efer", hex: registers.efer.rawValue)
    line.add("rflags_ac", access.alignmentCheck ? 1 : 0)
    line.add("pkru", hex: UInt64(registers.pkru))
    if registers.pkrs != 0 { line.add("pkrs", hex: UInt64(registers.pkrs)) }
    line.add("maxphyaddr", features.physicalAddressWidth)
    let cpu = CaseProcessor.differences(of: features)
    if let cpu { line.add("cpu", cpu) }
    line.add("memory", Self.entries(memory))
    line.add("va", hex: address.rawValue)
    line.add("access", access.kind.description)
    line.add("user", access.isUser ? 1 : 0)
    line.add("implicit", access.isImplicit ? 1 : 0)
    if access.isStack { line.add("stack", 1) }
    line.add("expect", expectation.json)
    return line
  }

  fileprivate static func entries(_ entries: [UInt64: UInt64]) -> JSONLine {
    var line = JSONLine()
    for (address, value) in entries.sorted(by: { $0.key < $1.key }) {
      line.add(address.hex, hex: value)
    }
    return line
  }
}

extension AccessOutcome {
  /// The outcome as one object, as a case's `expect` has it.
  public var json: JSONLine {
    var line = JSONLine()
    switch result {
    case .granted(let gpa, let size):
      line.add("ok", true)
      line.add("pa", gpa)
      if size != 0 { line.add("pageSize", hex: size) }
    case .refused(let vector, let code):
      line.add("ok", false)
      line.add("vector", Int(vector))
      line.add("error", hex: UInt64(code))
    case .contended:
      line.add("ok", false)
      line.add("reason", "contended")
    }
    line.add("memory_after", AccessCase.entries(changed))
    return line
  }
}
