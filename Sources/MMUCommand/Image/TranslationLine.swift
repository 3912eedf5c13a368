import Explain
import GuestImage
import Paging
import Report
import X86

/// What one address came to, as a line.
struct TranslationLine {
  typealias Outcome = Result<
    Translation<GuestPhysical, X86Rights>, WalkFailure<X86Fault, ImageHole>
  >

  let address: GVA
  let outcome: Outcome
  /// Whether an access was judged, so that a fault has a vector and an error code.
  let isJudged: Bool
  /// The root that answers, where it was not given.
  var root: (gpa: GPA, mode: X86Mode)?
  /// Of a guest inside the imaged one: what the second level says.
  let second: SecondLevelReport?

  /// The answer of an address space, judged where an access is given.
  init(
    _ address: GVA, in space: ImageAddressSpace, _ judged: X86Access?,
    root: (gpa: GPA, mode: X86Mode)? = nil
  ) {
    self.init(address, in: space, judged, outcome: space.outcome(address, judged), root: root)
  }

  /// The answer of an address space that is known already.
  init(
    _ address: GVA, in space: ImageAddressSpace, _ judged: X86Access?, outcome: Outcome,
    root: (gpa: GPA, mode: X86Mode)? = nil
  ) {
    self.address = address
    self.outcome = outcome
    self.root = root
    isJudged = judged != nil
    second = space.secondLevel(of: outcome, at: address, for: judged?.kind ?? .read)
      .map(SecondLevelReport.init)
  }

  /// Whether the address has a translation, through both levels where there are two.
  var isMapped: Bool {
    if case .success = outcome { second?.isReached ?? true } else { false }
  }

  /// The object that `mmu translate --json` prints.
  var json: JSONLine {
    var line = outcomeJSON
    if let second { line.add("secondLevel", second.json) }
    if let root {
      line.add("root", root.gpa)
      line.add("mode", root.mode.rawValue)
    }
    return line
  }

  private var outcomeJSON: JSONLine {
    var line = JSONLine()
    line.add("va", address)
    switch outcome {
    case .success(let translation):
      line.add("pa", translation.address)
      line.add("pageSize", hex: translation.pageSize.bytes)
      line.add("level", translation.level.rawValue)
      line.add("permissions", translation.rights.permissions.description)
      for (name, bit) in Self.leafFlags { line.add(name, translation.leaf & bit != 0) }
    case .failure(let failure):
      line.addNull("pa")
      switch failure {
      case .fault(let fault):
        line.add("reason", fault.cause.description)
        line.add("level", fault.level.rawValue)
        if isJudged {
          line.add("vector", Int(fault.vector))
          line.add("error", hex: UInt64(fault.errorCode.rawValue))
        }
      case .unreadable(let hole, _, let level):
        line.add("reason", second?.exit ?? "table unreadable")
        line.add("level", level.rawValue)
        line.add("gpa", hole.gpa)
      case .contended: line.add("reason", "contended")
      }
    }
    return line
  }

  /// The line for people.
  var text: String {
    outcomeText + (second.map { "; second level: \($0.text)" } ?? "")
      + (root.map { "  (root \($0.gpa), \($0.mode.rawValue))" } ?? "")
  }

  private var outcomeText: String {
    switch outcome {
    case .success(let translation):
      let flags = Self.leafFlags.filter { translation.leaf & $0.bit != 0 }.map(\.name)
      let words = ["\(translation.rights.permissions)"] + flags
      return "\(address) -> \(translation.address)  \(translation.pageSize) page"
        + "  \(words.joined(separator: " "))"
    case .failure(.fault(let fault)):
      var line = "\(address) unmapped: \(fault.cause) at level \(fault.level)"
      if fault.cause == .permission { line = "\(address) refused: permission" }
      if isJudged {
        line += ", vector \(fault.vector) error \(UInt64(fault.errorCode.rawValue).hex)"
        if fault.vector == X86Fault.pageFaultVector { line += " (\(fault.errorCode.names))" }
      }
      return line
    case .failure(.unreadable(let hole, _, let level)):
      if let exit = second?.exit {
        return "\(address) exits: \(exit) at the table of level \(level) (GPA \(hole.gpa))"
      }
      return "\(address) unknown: the table of level \(level) is not in the image (GPA \(hole.gpa))"
    case .failure(.contended): return "\(address) unknown: contended"
    }
  }

  /// The flags of a leaf that are printed.
  static var leafFlags: [(name: String, bit: UInt64)] {
    [("global", 1 << 8), ("accessed", 1 << 5), ("dirty", 1 << 6)]
  }
}
