public import MMU

/// A way to find written pages, as a forecast compares them.
public struct ForecastPolicy: Sendable, Hashable {
  /// How hardware or the MMU notices a write.
  public let method: DirtyMethod
  /// Whether marks go to rings, one a vCPU.
  public let usesRings: Bool
  /// Whether large pages are split when the log begins, and not by the writes.
  public let splitsEagerly: Bool

  /// A policy.
  public init(_ method: DirtyMethod, usesRings: Bool = false, splitsEagerly: Bool = false) {
    self.method = method
    self.usesRings = usesRings
    self.splitsEagerly = splitsEagerly
  }

  /// Those that a forecast is made for.
  public static let all = [false, true].flatMap { isEager in
    [
      ForecastPolicy(.writeProtect, splitsEagerly: isEager),
      ForecastPolicy(.writeProtect, usesRings: true, splitsEagerly: isEager),
      ForecastPolicy(.dirtyBit, splitsEagerly: isEager),
      ForecastPolicy(.pageModificationLog, splitsEagerly: isEager),
    ]
  }

  /// What it is called: `bitmap`, `ring`, `dirty-bit` or `pml`.
  public var name: String {
    if usesRings { return "ring" }
    return method == .writeProtect ? "bitmap" : method.rawValue
  }
}
