import Paging
import Report
import X86

/// Weighs roots against each other: families that share an upper part first, then what no better
/// root explains.
struct RootRanking {
  private struct Family: Hashable {
    let mode: X86Mode
    let upperPart: Int
  }

  private let found: [FoundRoot]
  private let judge: TableJudge

  init(_ found: [FoundRoot], _ judge: TableJudge) {
    self.found = found
    self.judge = judge
  }

  /// Below it a root is not told of: anything will do while there is none, and beside a family of one
  /// mode a lone root of another would be chance.
  private func leastScore(besides accepted: [RootCandidate], mode: X86Mode) -> Double {
    if accepted.isEmpty { return 0.4 }
    return accepted.contains { $0.sharing > 2 && $0.mode != mode } ? 0.72 : 0.6
  }

  func ranked() -> [RootCandidate] {
    var families: [Family: [FoundRoot]] = [:]
    for root in found {
      families[Family(mode: root.mode, upperPart: root.upperPart), default: []].append(root)
    }
    // Strongest first; of equal ones the deeper mode, since the upper tables of five levels are
    // roots of four as far as their own tables tell.
    let ordered = families.values.sorted { left, right in
      let (one, other) = (Self.strength(left), Self.strength(right))
      if one != other { return one > other }
      return Self.depth(left[0].mode) == Self.depth(right[0].mode)
        ? left[0].address < right[0].address
        : Self.depth(left[0].mode) > Self.depth(right[0].mode)
    }
    var accepted: [RootCandidate] = []
    var explained = TableMarks(judge)
    for family in ordered {
      let fresh = family.filter { !explained.contains($0.address) }
      if fresh.isEmpty { continue }
      let sharing = fresh[0].upperCount == 0 ? 1 : fresh.count
      let candidates = fresh.map { candidate($0, sharing: sharing) }
      let least = leastScore(besides: accepted, mode: fresh[0].mode)
      let wanted = candidates.filter { $0.score >= least }
      for candidate in wanted { explained.mark(candidate) }
      let kernel = wanted.isEmpty ? nil : KernelReference(judge).choose(among: fresh)
      for var candidate in wanted {
        if candidate.root.rawValue == kernel?.address {
          candidate.isKernelReference = true
          candidate.reasons.append("the kernel's reference table")
        }
        accepted.append(candidate)
      }
    }
    return accepted.sorted {
      $0.score != $1.score
        ? $0.score > $1.score
        : $0.mappings != $1.mappings ? $0.mappings > $1.mappings : $0.root < $1.root
    }
  }

  private static func strength(_ family: [FoundRoot]) -> Int {
    family[0].upperCount == 0 ? 0 : family.count
  }

  private static func depth(_ mode: X86Mode) -> Int {
    switch mode {
    case .long5: 5
    case .long4: 4
    case .pae: 3
    default: 2
    }
  }

  private func candidate(_ root: FoundRoot, sharing: Int) -> RootCandidate {
    var score = 0.4
    var reasons = ["its tables lead to \(counted(root.mappings, "page"))"]
    if root.upperCount > 0 {
      score += 0.2
      reasons.append("maps the upper part of the address space")
    }
    if sharing > 1 {
      score += 0.3 * (1 - 1 / Double(sharing))
      reasons.append(
        "\(counted(sharing - 1, "other root")) \(sharing == 2 ? "maps" : "map") the upper part alike"
      )
    }
    score += 0.1 * min(Double(root.mappings) / 256, 1)
    if root.lowerCount == 0 { reasons.append("has no entry below it") }
    return RootCandidate(
      root: GPA(root.address), mode: root.mode, mappings: root.mappings,
      score: (score * 1000).rounded() / 1000, sharing: sharing,
      mapsLowerPart: root.lowerMappings > 0, isKernelReference: false, reasons: reasons)
  }
}
