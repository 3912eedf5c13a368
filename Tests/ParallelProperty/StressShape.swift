package import Paging

/// What machine a stress run has.
package struct StressShape: Sendable, CustomStringConvertible {
  /// What translates guest physical addresses.
  package enum Hardware: Sendable, Hashable, CustomStringConvertible {
    case ept(accessedDirty: Bool)
    case npt
    /// EPT for shared memory, and the TDX module.
    case tdx

    package var description: String {
      switch self {
      case .ept(let accessedDirty): "EPT, A/D \(accessedDirty ? "on" : "off")"
      case .npt: "NPT"
      case .tdx: "TDX"
      }
    }
  }

  package let hardware: Hardware
  package let backing: PageSize

  private static let hardware: [Hardware] = [
    .ept(accessedDirty: true), .ept(accessedDirty: false), .npt, .tdx,
  ]
  package static let all = hardware.flatMap { hardware in
    [PageSize.size4KiB, .size2MiB].map { StressShape(hardware: hardware, backing: $0) }
  }

  package var description: String { "\(hardware), \(backing)" }
}
