/// A format for which a whole address space can be made from nothing.
public protocol BuildablePagingFormat: EditablePagingFormat, EnumerablePagingFormat {
  /// A root over fresh tables, or `nil` where no page is left; what was taken till then is forgotten.
  ///
  /// - Parameter takeTable: the next page for a table, which holds zeros; or `nil`.
  func makeRoot(takeTable: () -> UInt64?) -> Root?
}
