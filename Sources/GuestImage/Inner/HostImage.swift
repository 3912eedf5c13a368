public import Paging

/// An image as the host-physical memory of a guest inside the imaged one.
public struct HostImage: EntryMemory, Sendable {
  /// What the imaged guest calls physical is what its own guest runs on.
  public typealias Space = HostPhysical
  /// An address in no segment.
  public typealias Failure = ImageHole

  /// The image.
  public let image: GuestImage

  /// The memory of an image.
  public init(_ image: GuestImage) { self.image = image }

  /// Reads an entry of the image.
  public func load<Entry: TableEntry>(
    _ address: HPA, as type: Entry.Type
  ) -> Result<Entry, ImageHole> { image.load(GPA(address.rawValue), as: type) }

  /// Refuses: an image is never written.
  public func compareExchange<Entry: TableEntry>(
    _ address: HPA, expected: Entry, desired: Entry
  ) -> Result<EntryExchange, ImageHole> {
    image.compareExchange(GPA(address.rawValue), expected: expected, desired: desired)
  }
}
