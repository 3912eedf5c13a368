internal import CFFI

/// A C function and the libffi call interface for it, prepared once.
///
/// A call allocates nothing: its frame is on the stack, laid out here.
@safe
package final class ForeignFunction: @unchecked Sendable {
  /// What libffi calls.
  typealias Code = @convention(c) () -> Void

  /// What the function takes and returns.
  package let signature: Signature
  /// The bytes that an answer may take in a frame. **Units** bytes.
  let answerSize: Int
  private let code: Code
  private let interface: UnsafeMutablePointer<ffi_cif>
  private let argumentTypes: UnsafeMutablePointer<UnsafeMutablePointer<ffi_type>?>
  private let types: [FFIType]
  /// Keeps the code mapped.
  private let library: SharedLibrary
  private let isLocked: Bool

  /// Prepares a call of an exported function.
  init(
    _ symbol: String, in library: SharedLibrary, as signature: Signature, isThreadSafe: Bool
  ) throws(PluginError) {
    self.signature = signature
    self.library = library
    isLocked = !isThreadSafe
    code = try library.function(symbol)
    let types = ([signature.returns] + signature.parameters.map(\.type)).map(FFIType.init)
    self.types = types
    let count = signature.parameters.count
    unsafe argumentTypes = .allocate(capacity: count + 1)
    for index in 0...count {
      unsafe (argumentTypes + index).initialize(
        to: index < count ? types[index + 1].pointer : nil)
    }
    unsafe interface = .allocate(capacity: 1)
    unsafe interface.initialize(to: ffi_cif())
    answerSize = Self.answerSize(of: signature)
    let status = unsafe ffi_prep_cif(
      interface, FFI_DEFAULT_ABI, UInt32(count), types[0].pointer, argumentTypes)
    guard status == FFI_OK else {
      throw PluginError.callInterface(
        path: library.path, symbol: symbol, reason: "\(status.name) for \(signature)")
    }
    for (type, ours) in zip(types, [signature.returns] + signature.parameters.map(\.type)) {
      if let reason = type.disagreement(with: ours) {
        throw PluginError.callInterface(path: library.path, symbol: symbol, reason: reason)
      }
    }
  }

  /// The bytes that an answer may take: libffi writes a whole `ffi_arg` for a smaller number, and small
  /// structs in whole registers. **Units** bytes.
  static func answerSize(of signature: Signature) -> Int {
    max(signature.returns.layout.size, 16).roundedUp(to: 16)
  }

  /// What a caller that keeps this object alive needs for a call, as plain words; `nil` where calls
  /// take the lock.
  var unlocked: (code: Code, interface: UnsafeMutablePointer<ffi_cif>)? {
    isLocked ? nil : unsafe (code, interface)
  }

  deinit {
    unsafe argumentTypes.deallocate()
    unsafe interface.deallocate()
  }

  /// Calls the function.
  ///
  /// - Parameters:
  ///   - arguments: where each argument's value is, in the signature's order.
  ///   - answer: where the answer goes: `answerSize` bytes aligned to 16.
  @unsafe
  func call(
    arguments: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, answer: UnsafeMutableRawPointer
  ) {
    library.withLock(isLocked) {
      unsafe ffi_call(interface, code, answer, arguments)
    }
  }
}
