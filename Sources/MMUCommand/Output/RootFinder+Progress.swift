import Inspection

extension RootFinder {
  /// The roots, best first; a bar shows how far the search is.
  func findShowingProgress() -> [RootCandidate] {
    let bar = ProgressBar("looking for roots")
    defer { bar.clear() }
    return find { bar.show($0) }
  }
}
