import Paging
public import Report

extension Forecast {
  /// The forecast as lines for people.
  public var text: [String] {
    var lines = ["assumed:"] + assumptions.lines.map { "  \($0)" }
    let rounds = costs.first?.counts.sent.count ?? 0
    lines += [
      "",
      "\(accesses) accesses in \(rounds) rounds, \(refused) refused by the guest's tables,"
        + " \(outside) left out (not in memory); \(workingSet) pages touched", "",
      Self.row("policy", "split", ["faults", "splits", "flushes", "full", "sent", "most"]),
    ]
    for (policy, counts) in costs {
      let full = counts.ringFullExits + counts.modificationLogExits
      lines.append(
        Self.row(
          policy.name, policy.splitsEagerly ? "eager" : "write",
          [
            counts.faults, counts.splits, counts.flushes, full, counts.pagesSent,
            counts.sent.max() ?? 0,
          ].map(String.init)))
    }
    lines += [
      "", "full: exits for a full ring or log; sent: pages in all rounds; most: in one round",
    ]
    return lines
  }

  private static func row(_ name: String, _ split: String, _ figures: [String]) -> String {
    name.padded(to: 11) + split + figures.map { $0.leftPadded(to: 9) }.joined()
  }

  /// The forecast as JSON Lines: the trace and what is assumed, then one object a policy.
  public var json: [JSONLine] {
    var head = JSONLine()
    head.add("accesses", accesses)
    head.add("refused", refused)
    head.add("outside", outside)
    head.add("workingSet", workingSet)
    head.add("roundLength", assumptions.roundLength)
    head.add("backing", hex: assumptions.backing.bytes)
    head.add("ringSize", assumptions.ringSize)
    head.add("frames", Int(clamping: assumptions.frameCount))
    head.add("assumptions", assumptions.lines)
    return [head]
      + costs.map { policy, counts in
        var line = JSONLine()
        line.add("policy", policy.name)
        line.add("eagerSplit", policy.splitsEagerly)
        line.add("faults", counts.faults)
        line.add("splits", counts.splits)
        line.add("flushes", counts.flushes)
        line.add("ringFullExits", counts.ringFullExits)
        line.add("pmlFullExits", counts.modificationLogExits)
        line.add("pagesSent", counts.pagesSent)
        line.add("rounds", counts.sent)
        return line
      }
  }
}
