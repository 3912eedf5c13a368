/// Why the PDPTE registers could not be loaded.
@frozen
public enum PDPTELoadFailure<MemoryFailure: Error>: Error {
  /// A present entry has reserved bits: #GP(0) on hardware, the old registers stay.
  case reservedBits(index: Int, entry: UInt64, bits: UInt64)
  /// The memory that CR3 names did not answer.
  case unreadable(MemoryFailure, entry: UInt64)
}

extension PDPTELoadFailure: Sendable where MemoryFailure: Sendable {}
