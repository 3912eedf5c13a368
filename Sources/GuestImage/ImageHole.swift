public import Paging

/// A guest-physical address that an image does not hold.
@frozen
public struct ImageHole: Error, Hashable, Sendable {
  /// The first address that is not held.
  public let gpa: GPA

  /// A hole at an address.
  @inlinable
  public init(_ gpa: GPA) { self.gpa = gpa }
}

extension ImageHole: CustomStringConvertible {
  /// One line.
  public var description: String { "GPA \(gpa) is not in the image" }
}
