import Paging
import X86
import X86Long

extension WalkLoop {
  /// Walks random addresses that are there beforehand, as a batch or one by one.
  @inline(never)
  func runBatch(
    _ regime: FormatRegime<Long4>, isBatch: Bool, in memory: borrowing BufferMemory
  ) -> Tally {
    var pattern = RandomPattern()
    let bits = UInt64(bits)
    let addresses = (0..<count).map { _ in GVA(base &+ pattern.next(after: 0, bits: bits)) }
    var tally = Tally()
    let walker = Walker(regime.format)
    let access = X86Access(.read, user: true)
    let batch = addresses.span
    if isBatch {
      walker.walk(batch: batch, for: access, at: regime.root, in: memory, Commit()) {
        tally.add($1)
      }
    } else {
      for index in batch.indices {
        tally.add(
          walker.walk(batch[index], for: access, at: regime.root, in: memory, Commit()))
      }
    }
    return tally
  }
}

extension WalkLoop.Tally {
  /// Adds one walk's result.
  @inline(__always)
  mutating func add(
    _ outcome: Result<
      Translation<GuestPhysical, X86Rights>, WalkFailure<X86Fault, BufferHole>
    >
  ) {
    switch outcome {
    case .success(let translation):
      checksum &+= translation.address.rawValue ^ translation.leaf
    case .failure: failures &+= 1
    }
  }
}
