import Machine
import Paging
import PluginHost
import Synchronization

/// A plugin's device on the MMIO bus. What it answers against the rules reads as all ones, and ends
/// the run with the rule.
final class PluginBusDevice: MMIODevice {
  let name: String
  private let device: PluginDevice
  private let refused = Mutex<PluginError?>(nil)

  /// - Throws: `PluginError.hook` where the plugin is no device.
  init(_ plugin: Plugin, at base: GPA) throws(PluginError) {
    name = plugin.name
    device = try PluginDevice(plugin, at: base)
  }

  /// The first answer that was refused, or `nil`.
  var firstRefusal: PluginError? { refused.withLock { $0 } }

  func read(offset: UInt64, size: Int) -> UInt64 {
    do {
      return try device.read(offset: offset, byteCount: size)
    } catch {
      note(error)
      return ~0
    }
  }

  func write(_ value: UInt64, offset: UInt64, size: Int) {
    do {
      try device.write(value, offset: offset, byteCount: size)
    } catch {
      note(error)
    }
  }

  private func note(_ error: PluginError) { refused.withLock { $0 = $0 ?? error } }
}
