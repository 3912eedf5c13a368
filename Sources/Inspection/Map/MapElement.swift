/// What an address space is listed as.
public protocol MapElement: Sendable {
  /// A page as the first of an element.
  init(_ page: MappedPage)
  /// Takes the element that follows into this one, where the two are one.
  mutating func absorb(_ next: Self) -> Bool
}
