import Paging

/// The page-modification log of one vCPU: 512 guest physical addresses, filled from index 511 down.
///
/// **Source** Intel SDM Vol. 3C, "Page-Modification Logging".
@usableFromInline
final class ModificationLog: Sendable {
  private struct State {
    var addresses = InlineArray<512, UInt64>(repeating: 0)
    var index: UInt16 = 511
    var space = AddressSpace.normal
  }

  private let state = Guarded(State())

  /// Whether nothing is logged.
  var isEmpty: Bool { state.withLock { $0.index == 511 } }

  /// Whether no place is left: the index has passed 0.
  var isFull: Bool { state.withLock { $0.index > 511 } }

  /// Logs an address, bits 11:0 cleared. **Requires** that the log is not full.
  ///
  /// Called after D is set: an address that were taken out before would be clean with D set.
  func log(_ gpa: GPA) {
    state.withLock { state in
      precondition(state.index <= 511, "a write past a full log")
      state.addresses[Int(state.index)] = gpa.rawValue & ~0xFFF
      state.index &-= 1
    }
  }

  /// Feeds what is logged.
  func hash(into hasher: inout Hasher) {
    state.withLock { state in
      for index in Int(state.index &+ 1)..<512 { hasher.combine(state.addresses[index]) }
      hasher.combine(state.space)
    }
  }

  /// What is logged from now on is written in a space. **Requires** that the log is empty.
  func begin(_ space: AddressSpace) { state.withLock { $0.space = space } }

  /// Takes all addresses, oldest first, with the space that they were written in, and begins at 511
  /// again.
  func drain() -> (addresses: [GPA], space: AddressSpace) {
    state.withLock { state in
      let first = Int(state.index &+ 1)
      var result: [GPA] = []
      for index in stride(from: 511, through: first, by: -1) {
        result.append(GPA(state.addresses[index]))
      }
      state.index = 511
      return (result, state.space)
    }
  }
}
