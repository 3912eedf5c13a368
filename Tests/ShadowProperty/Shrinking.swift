/// Leaves out of a list what its failure does not need: delta debugging, in pieces that become smaller.
///
/// What remains cannot lose any single element, unless the budget ended first.
///
/// **Source** Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input".
/// - Parameters:
///   - budget: how often `fails` may be asked.
///   - fails: whether a shorter list still fails.
package func shrunk<Element>(
  _ elements: [Element], budget: Int = 20_000, _ fails: ([Element]) -> Bool
) -> [Element] {
  var kept = elements
  var left = budget
  var piece = max(1, kept.count / 2)
  while true {
    var hasShrunk = false
    // From the end: what happened last has most to do with the failure.
    var end = kept.count
    while end > 0, left > 0 {
      let start = max(0, end - piece)
      let shorter = Array(kept[..<start] + kept[end...])
      left -= 1
      if fails(shorter) {
        kept = shorter
        hasShrunk = true
      }
      end = start
    }
    if left == 0 || (piece == 1 && !hasShrunk) { return kept }
    if piece > 1 { piece = max(1, piece / 2) }
  }
}
