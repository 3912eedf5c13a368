import Machine
import Synchronization

/// A serial port as most systems have it: offset 0 takes and gives bytes, offset 5 says "ready".
///
/// **Not modelled** interrupts, the divisor latch, FIFO control.
final class UART: RestorableDevice {
  let name = "uart"
  private let written = Mutex<[UInt8]>([])

  func read(offset: UInt64, size: Int) -> UInt64 { offset == 5 ? 0x60 : 0 }

  func write(_ value: UInt64, offset: UInt64, size: Int) {
    guard offset == 0 else { return }
    written.withLock { bytes in
      if bytes.count < 1 << 20 { bytes.append(UInt8(truncatingIfNeeded: value)) }
    }
  }

  /// Nothing: what has been printed is out.
  var state: Void {
    get {}
    set {}
  }

  /// What the guest has written.
  var output: [UInt8] { written.withLock { $0 } }
}

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
