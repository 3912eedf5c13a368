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
