internal import CMMUPlugin
internal import Glibc

/// The table of C functions that a plugin gets, and what stands behind its opaque pointer.
///
/// Lives from before init until after fini, so a plugin may keep the pointer.
@safe
final class ServiceTable: @unchecked Sendable {
  let plugin: String
  let services: any PluginServices
  /// What init gets.
  let table: UnsafeMutablePointer<mmu_plugin_host>
  private let settings: [String: UnsafeMutablePointer<CChar>]

  init(for plugin: String, services: any PluginServices, settings: [String: String]) {
    self.plugin = plugin
    self.services = services
    unsafe self.settings = unsafe settings.compactMapValues { unsafe strdup($0) }
    unsafe table = .allocate(capacity: 1)
    unsafe table.initialize(to: mmu_plugin_host())
    unsafe table.pointee.abi_version = MMU_PLUGIN_ABI_VERSION
    unsafe table.pointee.struct_size = UInt32(MemoryLayout<mmu_plugin_host>.size)
    // SAFETY: unretained; the plugin that owns this object keeps it until fini has returned.
    unsafe table.pointee.host = Unmanaged.passUnretained(self).toOpaque()
    unsafe table.pointee.log = { unsafe ServiceTable.of($0)?.log($1, $2) }
    unsafe table.pointee.read_guest = { unsafe ServiceTable.of($0)?.read($1, $2, $3) ?? -1 }
    unsafe table.pointee.write_guest = { unsafe ServiceTable.of($0)?.write($1, $2, $3) ?? -1 }
    unsafe table.pointee.translate = {
      unsafe ServiceTable.of($0)?.translate($1, $2, $3, $4, $5) ?? -1
    }
    unsafe table.pointee.count = { unsafe ServiceTable.of($0)?.count($1, $2) }
    unsafe table.pointee.setting = { unsafe ServiceTable.of($0)?.setting($1) }
  }

  deinit {
    unsafe settings.values.forEach { unsafe free($0) }
    unsafe table.deallocate()
  }

  /// The value of a setting, as the plugin may keep it.
  func setting(_ key: UnsafePointer<CChar>?) -> UnsafePointer<CChar>? {
    guard let key = unsafe Self.text(key) else { return nil }
    return unsafe settings[key].map { unsafe UnsafePointer($0) }
  }

  @unsafe
  private static func of(_ host: UnsafeMutableRawPointer?) -> ServiceTable? {
    // SAFETY: the host stored this pointer itself; a plugin that makes one up breaks its contract.
    unsafe host.map { unsafe Unmanaged<ServiceTable>.fromOpaque($0).takeUnretainedValue() }
  }

  /// A plugin's text: at most 4096 bytes of it, repaired where it is not UTF-8.
  @unsafe
  static func text(_ pointer: UnsafePointer<CChar>?) -> String? {
    guard let pointer = unsafe pointer else { return nil }
    let length = unsafe strnlen(pointer, 4096)
    return unsafe String(
      decoding: UnsafeRawBufferPointer(start: pointer, count: length), as: UTF8.self)
  }
}
