internal import CFFI
internal import Glibc
internal import Synchronization

/// A shared object in this process, closed when the last user goes.
///
/// Loading one object twice gives one `SharedLibrary`, as it gives one set of C globals, and so one
/// lock for plugins that are not thread-safe.
@safe
final class SharedLibrary: @unchecked Sendable {
  /// The path as the user gave it.
  let path: String
  /// Held around every call of a plugin that is not thread-safe (SPEC H6).
  let lock = Mutex<Void>(())
  private let handle: UnsafeMutableRawPointer
  /// What to add to the object's own addresses.
  private let bias: UInt
  private let segments: [ObjectSegment]

  private init(
    path: String, handle: UnsafeMutableRawPointer, bias: UInt, segments: [ObjectSegment]
  ) {
    self.path = path
    unsafe self.handle = unsafe handle
    self.bias = bias
    self.segments = segments
  }

  deinit {
    // SAFETY: the handle is the one that dlopen counted for this instance.
    _ = unsafe dlclose(handle)
  }

  /// Loads a shared object that passes `SharedObjectCheck`.
  ///
  /// The name is taken as a path, never looked up in the loader's directories.
  static func open(_ path: String) throws(PluginError) -> SharedLibrary {
    let check = try SharedObjectCheck(path: path)
    let place = path.contains("/") ? path : "./" + path
    guard let handle = unsafe dlopen(place, RTLD_NOW | RTLD_LOCAL) else {
      throw PluginError.notLoadable(path: path, reason: lastError)
    }
    let key = UInt(bitPattern: handle)
    return try loaded.withLock { known throws(PluginError) -> SharedLibrary in
      if let library = known[key]?.library {
        _ = unsafe dlclose(handle)
        return library
      }
      guard let bias = unsafe loadBias(handle) else {
        _ = unsafe dlclose(handle)
        throw PluginError.notLoadable(path: path, reason: "the loader does not say where it is")
      }
      let library = unsafe SharedLibrary(
        path: path, handle: handle, bias: bias, segments: check.segments)
      known = known.filter { $0.value.library != nil }
      known[key] = Weak(library: library)
      return library
    }
  }

  private struct Weak {
    weak var library: SharedLibrary?
  }

  private static let loaded = Mutex<[UInt: Weak]>([:])

  private static var lastError: String {
    guard let text = unsafe dlerror() else { return "no reason given" }
    return unsafe String(cString: text)
  }

  private static func loadBias(_ handle: UnsafeMutableRawPointer) -> UInt? {
    var bias: UInt = 0
    return unsafe cffi_load_bias(handle, &bias) == 0 ? bias : nil
  }
}

extension SharedLibrary {
  /// Runs code of this object, under its lock where that is needed.
  func withLock<Result>(_ isLocked: Bool, _ body: () -> Result) -> Result {
    guard isLocked else { return body() }
    var result: Result?
    lock.withLock { _ in result = body() }
    guard let result else { preconditionFailure("the lock runs its body") }
    return result
  }

  /// An exported function of this object, not one of an object that it depends on.
  func function(_ symbol: String) throws(PluginError) -> ForeignFunction.Code {
    let address = try unsafe self.address(of: symbol)
    guard contains(UInt(bitPattern: address), count: 1, executable: true) else {
      throw refusal(symbol, "is not a function of this shared object")
    }
    // SAFETY: the address is in executable memory; its type is what the signature says, which
    // nobody can check.
    return unsafe unsafeBitCast(address, to: ForeignFunction.Code.self)
  }

  /// Exported data of this object, at least so many bytes. **Units** bytes.
  func data(_ symbol: String, count: Int) throws(PluginError) -> UnsafeRawPointer {
    let address = try unsafe self.address(of: symbol)
    guard contains(UInt(bitPattern: address), count: count) else {
      throw refusal(symbol, "is not data of this shared object")
    }
    return UnsafeRawPointer(address)
  }

  private func address(of symbol: String) throws(PluginError) -> UnsafeMutableRawPointer {
    guard let address = unsafe dlsym(handle, symbol) else {
      throw refusal(symbol, "is not exported")
    }
    return unsafe address
  }

  private func refusal(_ symbol: String, _ reason: String) -> PluginError {
    .symbol(path: path, symbol: symbol, reason: reason)
  }

  /// Whether bytes lie in one readable (or executable) segment of this object.
  func contains(_ address: UInt, count: Int, executable: Bool = false) -> Bool {
    room(at: address, executable: executable).map { count >= 0 && UInt64(count) <= $0 } ?? false
  }

  /// The bytes from an address to the end of its segment, or `nil` outside of all.
  private func room(at address: UInt, executable: Bool = false) -> UInt64? {
    let relative = UInt64(address &- bias)
    for one in segments where one.address <= relative && relative < one.end {
      return (executable ? one.isExecutable : one.isReadable) ? one.end - relative : nil
    }
    return nil
  }

  /// A C string of this object, or `nil` where it lies elsewhere or has no end there. At most 4096
  /// bytes.
  func string(at pointer: UnsafePointer<CChar>?) -> String? {
    guard let pointer = unsafe pointer, let room = room(at: UInt(bitPattern: pointer)) else {
      return nil
    }
    let limit = Int(min(room, 4096))
    // SAFETY: the bytes up to `limit` are in a mapped, readable segment.
    let length = unsafe strnlen(pointer, limit)
    guard length < limit else { return nil }
    let bytes = unsafe UnsafeRawBufferPointer(start: pointer, count: length)
    return unsafe String(decoding: bytes, as: UTF8.self)
  }
}
