/// One access of the reference walk.
package struct ReferenceAccess: Hashable, Sendable {
  package enum Kind: Hashable, Sendable, CaseIterable { case read, write, fetch }
  package var kind: Kind
  package var user = false
  package var implicit = false
  package var ac = false
  package var stack = false
  package var shadowStack = false

  package init(_ kind: Kind) { self.kind = kind }

  /// CPL 3 and asked for by the instruction itself.
  var isUserMode: Bool { user && !implicit }
}
