import Machine
import Synchronization

/// A device that answers with the offset and remembers what is written.
final class EchoDevice: MMIODevice {
  let name = "echo"
  let writes = Mutex<[[UInt64]]>([])
  func read(offset: UInt64, size: Int) -> UInt64 { 0x1122_3344_5566_7700 + offset }
  func write(_ value: UInt64, offset: UInt64, size: Int) {
    writes.withLock { $0.append([value, offset, UInt64(size)]) }
  }
}
