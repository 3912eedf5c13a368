import Machine
import Synchronization

/// Registers that keep what is written, by 8-byte offset.
final class ScratchRegisters: RestorableDevice {
  let name = "scratch"
  private let values = Mutex<[UInt64: UInt64]>([:])

  func read(offset: UInt64, size: Int) -> UInt64 {
    values.withLock { $0[offset & ~7] ?? 0 } >> ((offset & 7) * 8)
  }

  func write(_ value: UInt64, offset: UInt64, size: Int) {
    let shift = (offset & 7) * 8
    let low: UInt64 = size >= 8 ? ~0 : (1 << UInt64(size * 8)) - 1
    let mask = low << shift
    let register = offset & ~7
    let bits = (value << shift) & mask
    values.withLock { values in
      let old = values[register]
      guard old != nil || values.count < 1 << 16 else { return }
      values[register] = ((old ?? 0) & ~mask) | bits
    }
  }

  /// The registers.
  var state: [UInt64: UInt64] {
    get { values.withLock { $0 } }
    set { values.withLock { $0 = newValue } }
  }
}
