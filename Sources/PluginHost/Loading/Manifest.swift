internal import CMMUPlugin

/// What a plugin says of itself, checked before any of its functions is called.
@safe
struct Manifest: @unchecked Sendable {
  let name: String
  let version: String
  let isThreadSafe: Bool
  let hooks: [HookBinding]
  let initialize: Initializer?
  let finish: Finalizer?

  typealias Initializer =
    @convention(c) (
      UnsafePointer<mmu_plugin_host>?, UnsafeMutablePointer<UnsafeMutableRawPointer?>?
    ) -> Int32
  typealias Finalizer = @convention(c) (UnsafeMutableRawPointer?) -> Void

  private enum Limit {
    static let hooks: UInt32 = 64
    static let nameBytes = 64
  }

  init(of library: SharedLibrary) throws(PluginError) {
    let path = library.path
    let full = unsafe MemoryLayout<mmu_plugin>.size
    // Magic, version and size first: nothing else has a meaning before they are right.
    let prefix = MemoryLayout<UInt64>.size * 2
    let start = try unsafe library.data("mmu_plugin_manifest", count: prefix)
    let magic = unsafe start.loadUnaligned(as: UInt64.self)
    guard magic == MMU_PLUGIN_MAGIC else {
      throw PluginError.wrongMagic(path: path, found: magic)
    }
    let abi = unsafe start.loadUnaligned(fromByteOffset: 8, as: UInt32.self)
    guard abi == MMU_PLUGIN_ABI_VERSION else {
      throw PluginError.wrongABI(path: path, found: abi, expected: MMU_PLUGIN_ABI_VERSION)
    }
    let size = Int(unsafe start.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
    guard size >= full else {
      throw PluginError.tooSmall(path: path, what: "the manifest", found: size, expected: full)
    }
    guard library.contains(UInt(bitPattern: start), count: size) else {
      throw PluginError.manifest(
        path: path, rule: "its \(size) bytes do not lie in one segment of the shared object")
    }
    // SAFETY: the bytes are there, and every member but the pointers has no invalid pattern; the
    // pointers are compared with the object's segments before they are followed.
    let raw = unsafe start.loadUnaligned(as: mmu_plugin.self)
    func text(_ pointer: UnsafePointer<CChar>?, _ what: String) throws(PluginError) -> String {
      guard let text = unsafe library.string(at: pointer) else {
        throw PluginError.manifest(
          path: path, rule: "\(what) is not a string of the shared object")
      }
      return text
    }
    name = try unsafe text(raw.name, "the name")
    guard Self.isName(name) else {
      throw PluginError.manifest(
        path: path,
        rule: "the name '\(name)' is not 1 to \(Limit.nameBytes) letters, digits, '-', '_', '.'")
    }
    version = try unsafe text(raw.version, "the version")
    let unknown = unsafe raw.flags & ~UInt64(MMU_PLUGIN_THREAD_SAFE)
    guard unknown == 0 else {
      throw PluginError.manifest(path: path, rule: "flags \(hex(unknown)) have no meaning")
    }
    isThreadSafe = unsafe raw.flags & UInt64(MMU_PLUGIN_THREAD_SAFE) != 0
    for (function, what) in [
      (unsafe unsafeBitCast(raw.`init`, to: UInt.self), "init"),
      (unsafe unsafeBitCast(raw.fini, to: UInt.self), "fini"),
    ] where function != 0 && !library.contains(function, count: 1, executable: true) {
      throw PluginError.manifest(
        path: path, rule: "\(what) is not a function of the shared object")
    }
    unsafe initialize = unsafe raw.`init`
    unsafe finish = unsafe raw.fini

    let count = unsafe raw.hook_count
    guard 1...Limit.hooks ~= count else {
      throw PluginError.manifest(path: path, rule: "\(count) hooks (1 to \(Limit.hooks))")
    }
    let entry = Int(unsafe raw.hook_size)
    let least = unsafe MemoryLayout<mmu_plugin_hook>.size
    guard entry >= least else {
      throw PluginError.tooSmall(path: path, what: "a hook entry", found: entry, expected: least)
    }
    // 64 entries of at most 2^32 bytes do not overflow.
    let address = unsafe UInt(bitPattern: raw.hooks)
    guard library.contains(address, count: entry * Int(count)),
      let table = unsafe UnsafeRawPointer(bitPattern: address)
    else {
      throw PluginError.manifest(path: path, rule: "the hooks lie outside the shared object")
    }
    var hooks: [HookBinding] = []
    for index in 0..<Int(count) {
      let one = unsafe table.loadUnaligned(
        fromByteOffset: index * entry, as: mmu_plugin_hook.self)
      let binding = HookBinding(
        hook: try unsafe text(one.name, "the name of hook \(index)"),
        symbol: try unsafe text(one.symbol, "the symbol of hook \(index)"),
        signature: try unsafe text(one.signature, "the signature of hook \(index)"))
      guard !hooks.contains(where: { $0.hook == binding.hook }) else {
        throw PluginError.manifest(path: path, rule: "hook \(binding.hook) is listed twice")
      }
      hooks.append(binding)
    }
    self.hooks = hooks
  }

  private static func isName(_ text: String) -> Bool {
    1...Limit.nameBytes ~= text.utf8.count
      && text.utf8.allSatisfy {
        switch $0 {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
          UInt8(ascii: "."):
          true
        default: false
        }
      }
  }
}
