internal import CBenchTwin

/// The twin's tables and log of the same size.
@safe
final class UpkeepTwin {
  private let upkeep: OpaquePointer
  private var words: [UInt64]

  init(pages: Int, isLarge: Bool) throws(BenchmarkError) {
    guard let upkeep = unsafe cbt_upkeep_make(UInt64(pages), isLarge) else {
      throw .noData("upkeep", "no memory for the twin's tables")
    }
    unsafe self.upkeep = unsafe upkeep
    words = Array(repeating: 0, count: (pages + 63) / 64)
  }

  deinit { unsafe cbt_upkeep_free(upkeep) }

  func write(step: Int) { unsafe cbt_upkeep_write(upkeep, UInt64(step)) }

  func round() -> WalkLoop.Tally {
    // SAFETY: the array has a bit a page and lives through the call.
    let tally = unsafe words.withUnsafeMutableBufferPointer {
      unsafe cbt_upkeep_run_round(upkeep, $0.baseAddress)
    }
    return WalkLoop.Tally(checksum: tally.checksum, failures: tally.failures)
  }

  func collapse() { unsafe cbt_upkeep_collapse(upkeep) }

  func split() -> WalkLoop.Tally {
    let tally = unsafe cbt_upkeep_run_split(upkeep)
    return WalkLoop.Tally(checksum: tally.checksum, failures: tally.failures)
  }
}
