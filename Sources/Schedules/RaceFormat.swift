import MMU
import Paging
import X86EPT
import X86NPT

/// The second level that a race is run over.
public enum RaceFormat: String, Sendable, CaseIterable {
  /// Extended page tables.
  case ept
  /// Nested page tables, whose A and D bits the processor always sets.
  case npt

  /// Tables of the format, empty.
  func makeTables(
    _ turns: Turns, _ memory: GuestMemory, accessedDirty: Bool, ring: Int?
  ) throws -> any RaceTables {
    let pool = TablePool(first: PFN(16), limit: 64)
    let policy = RacePolicy(pacing: turns)
    switch self {
    case .ept:
      let capabilities = EPTCapabilities(physicalAddressWidth: 40, accessedDirty: accessedDirty)
      return try TDPMMU(
        encoder: EPTEncoder(capabilities), policy: policy, memory: memory, pool: pool,
        dirtyRingSize: ring)
    case .npt:
      precondition(accessedDirty, "NPT has A and D always")
      return try TDPMMU(
        encoder: NPTEncoder(NPTCapabilities(physicalAddressWidth: 40)), policy: policy,
        memory: memory, pool: pool, dirtyRingSize: ring)
    }
  }
}
