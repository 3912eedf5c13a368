import Paging
import TestSupport
import X86Guest

extension TablePath {
  /// A walk with one of the strategies; the hardware's where none is named.
  func walk(
    _ access: ReferenceAccess, at address: UInt64? = nil, _ strategy: some WalkStrategy = Commit()
  ) -> ReferenceOutcome {
    X86Regime(machine).outcome(address ?? self.address, access, in: memory, strategy)
  }

  /// The error code of a page fault, or `nil` for any other end.
  func error(_ access: ReferenceAccess) -> UInt32? { walk(access, Judge()).error }
}

extension ReferenceAccess {
  static let read = ReferenceAccess(.read)
  static let write = ReferenceAccess(.write)
  static let fetch = ReferenceAccess(.fetch)

  /// The access with one thing changed.
  func with<Value>(
    _ path: WritableKeyPath<ReferenceAccess, Value>, _ value: Value
  ) -> ReferenceAccess {
    var copy = self
    copy[keyPath: path] = value
    return copy
  }

  /// The access made in user mode.
  var byUser: ReferenceAccess { with(\.user, true) }
  /// The access as an implicit one.
  var implicitly: ReferenceAccess { with(\.implicit, true) }
  /// The access with RFLAGS.AC set.
  var withAC: ReferenceAccess { with(\.ac, true) }
  /// The access through the stack segment.
  var onStack: ReferenceAccess { with(\.stack, true) }
  /// The access to a shadow stack.
  var onShadowStack: ReferenceAccess { with(\.shadowStack, true) }
}

extension ReferenceOutcome {
  /// The error code of a page fault.
  var error: UInt32? {
    if case .pageFault(let error, _, _, _) = self { error } else { nil }
  }

  /// What CR2 holds after a page fault.
  var cr2: UInt64? {
    if case .pageFault(_, _, _, let cr2) = self { cr2 } else { nil }
  }

  /// The vector of a bad address.
  var vector: Int? {
    if case .badAddress(let vector, _) = self { vector } else { nil }
  }

  /// The translation.
  var found: ReferenceTranslation? {
    if case .translated(let found) = self { found } else { nil }
  }

  /// The translated address.
  var pa: UInt64? { found?.pa }
}
