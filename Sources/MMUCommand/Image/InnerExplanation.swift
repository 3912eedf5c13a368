import Explain
import GuestImage
import Paging
import Report
import X86

/// An access of an inner guest, told on both levels.
struct InnerExplanation {
  let guest: Explanation
  /// What the second level says of the page; `nil` where the guest's own walk does not arrive.
  let second: SecondLevelReport?

  init(_ situation: AccessSituation, in memory: InnerMemory) {
    let memory = memory.walked(for: situation.address)
    let explainer = Explainer(memory) { $0.description }
    let told = explainer.explain(situation)
    guard case .granted(let translation) = told.outcome else {
      guest = told
      second = nil
      return
    }
    let page = memory.page(
      of: translation.address, for: situation.access.kind, isUser: translation.rights.isUser)
    second = SecondLevelReport(answer: page)
    guard case .success(let final) = page else {
      guest = told
      return
    }
    var situation = situation
    situation.caching.secondLevel =
      final.caching.map { .ept($0.type, ignoresPAT: $0.ignoresPAT) }
      ?? .mtrr(situation.caching.ranges.type(of: GPA(final.address.rawValue)))
    guest = explainer.explain(situation)
  }

  var json: JSONLine {
    var line = guest.json
    if let second { line.add("secondLevel", second.json) } else { line.addNull("secondLevel") }
    return line
  }

  var text: [String] {
    let style = Terminal.style
    return guest.text(styled: style)
      + (second.map { [style("Second level: \($0.text)", $0.isReached ? .good : .bad)] } ?? [])
  }
}
