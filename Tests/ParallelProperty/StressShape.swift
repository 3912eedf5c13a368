package import Paging

/// What machine a stress run has.
package struct StressShape: Sendable, CustomStringConvertible {
  /// Whether EPT keeps A and D; `nil` for NPT.
  package let accessedDirty: Bool?
  package let backing: PageSize

  package static let all = [true, false, nil].flatMap { accessedDirty in
    [PageSize.size4KiB, .size2MiB].map {
      StressShape(accessedDirty: accessedDirty, backing: $0)
    }
  }

  package var description: String {
    (accessedDirty.map { "EPT, A/D \($0 ? "on" : "off")" } ?? "NPT") + ", \(backing)"
  }
}
