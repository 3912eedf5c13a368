internal import CFFI

/// libffi's descriptor of a type, and the memory that descriptors of structs take.
@safe
final class FFIType {
  let pointer: UnsafeMutablePointer<ffi_type>
  private let elements: UnsafeMutablePointer<UnsafeMutablePointer<ffi_type>?>?
  private let parts: [FFIType]

  init(_ type: CType) {
    guard case .structure(let fields) = type else {
      unsafe pointer = unsafe Self.shared(type)
      unsafe elements = nil
      parts = []
      return
    }
    let parts = fields.map { FFIType($0.type) }
    let list = UnsafeMutablePointer<UnsafeMutablePointer<ffi_type>?>.allocate(
      capacity: parts.count + 1)
    for (index, part) in parts.enumerated() {
      unsafe (list + index).initialize(to: part.pointer)
    }
    unsafe (list + parts.count).initialize(to: nil)
    let own = UnsafeMutablePointer<ffi_type>.allocate(capacity: 1)
    // Size and alignment 0: libffi fills them in when the call interface is prepared.
    unsafe own.initialize(
      to: ffi_type(size: 0, alignment: 0, type: UInt16(FFI_TYPE_STRUCT), elements: list))
    self.parts = parts
    unsafe elements = unsafe list
    unsafe pointer = unsafe own
  }

  deinit {
    guard let elements = unsafe elements else { return }
    unsafe elements.deallocate()
    unsafe pointer.deallocate()
  }

  private static func shared(_ type: CType) -> UnsafeMutablePointer<ffi_type> {
    guard case .scalar(let scalar) = type else { return unsafe cffi_void() }
    return switch scalar {
    // `_Bool` is passed as an 8-bit unsigned integer on every ABI that libffi knows.
    case .bool, .u8: unsafe cffi_uint8()
    case .i8: unsafe cffi_sint8()
    case .i16: unsafe cffi_sint16()
    case .u16: unsafe cffi_uint16()
    case .i32: unsafe cffi_sint32()
    case .u32: unsafe cffi_uint32()
    case .i64: unsafe cffi_sint64()
    case .u64: unsafe cffi_uint64()
    case .f32: unsafe cffi_float()
    case .f64: unsafe cffi_double()
    case .ptr, .cstr: unsafe cffi_pointer()
    }
  }

  /// Why libffi's idea of the type is not ours, or `nil` where both agree. **Requires** a prepared
  /// call interface that uses the type, so that sizes are filled in.
  func disagreement(with type: CType) -> String? {
    guard case .structure(let fields) = type else { return nil }
    for (part, field) in zip(parts, fields) {
      if let reason = part.disagreement(with: field.type) { return reason }
    }
    let ours = type.layout
    return unsafe withUnsafeTemporaryAllocation(of: Int.self, capacity: fields.count) { offsets in
      let status = unsafe ffi_get_struct_offsets(
        FFI_DEFAULT_ABI, pointer,
        UnsafeMutableRawPointer(offsets.baseAddress)?
          .assumingMemoryBound(to: size_t.self))
      guard status == FFI_OK else { return "libffi cannot lay out \(type) (\(status.name))" }
      let isSame =
        unsafe pointer.pointee.size == ours.size
        && Int(pointer.pointee.alignment) == ours.alignment && offsets.elementsEqual(ours.offsets)
      return isSame ? nil : "libffi lays \(type) out differently"
    }
  }
}

extension ffi_status {
  /// The status's name in libffi's header.
  var name: String {
    switch self {
    case FFI_OK: "FFI_OK"
    case FFI_BAD_TYPEDEF: "FFI_BAD_TYPEDEF"
    case FFI_BAD_ABI: "FFI_BAD_ABI"
    case FFI_BAD_ARGTYPE: "FFI_BAD_ARGTYPE"
    default: "status \(rawValue)"
    }
  }
}
