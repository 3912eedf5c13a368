/// Why a shadow page is given up.
public enum ZapReason: String, Sendable, Hashable, CaseIterable {
  /// The guest keeps writing the table: it is something else by now.
  case flooded
  /// A write hit the table askew.
  case misaligned
  /// The pool was short.
  case recycled
  /// The table is used at a higher level too.
  case conflict
  /// Memslots changed, or generations wrapped.
  case invalidated
  /// Nobody uses the root above it any more.
  case unused
}
