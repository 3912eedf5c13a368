public import Paging

/// Why a byte of a virtual address space cannot be read from an image.
public struct VirtualHole: Error, Hashable, Sendable {
  /// The reasons.
  public enum Reason: Hashable, Sendable {
    /// The tables do not map the address.
    case unmapped(FaultCause, Level)
    /// The image does not hold a table on the way: whether the address is mapped is not known.
    case tableMissing(entry: GPA, Level)
    /// The address is mapped, and the image does not hold the page.
    case pageMissing(GPA)
  }

  /// The first address that cannot be read.
  public let gva: GVA
  /// Why.
  public let reason: Reason

  /// A hole.
  public init(gva: GVA, reason: Reason) {
    self.gva = gva
    self.reason = reason
  }
}

extension VirtualHole: CustomStringConvertible {
  /// One line.
  public var description: String {
    switch reason {
    case .unmapped(let cause, let level): "VA \(gva) is not mapped: \(cause) at level \(level)"
    case .tableMissing(let entry, let level):
      "VA \(gva): the table of level \(level) is not in the image (its entry is at GPA \(entry))"
    case .pageMissing(let gpa): "VA \(gva) is mapped to GPA \(gpa), which is not in the image"
    }
  }
}
