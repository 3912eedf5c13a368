public import Paging

/// A device in C: the hooks `mmio_read` and `mmio_write` on a window of guest-physical addresses.
public struct PluginDevice: Sendable {
  /// The plugin.
  public let plugin: Plugin
  /// The start of the window.
  public let base: GPA
  private let reader, writer: BoundHook

  /// A device.
  ///
  /// - Throws: `PluginError.hook` where the plugin lacks one of the two hooks.
  public init(_ plugin: Plugin, at base: GPA) throws(PluginError) {
    self.plugin = plugin
    self.base = base
    reader = try plugin.requiredHook(.mmioRead)
    writer = try plugin.requiredHook(.mmioWrite)
  }

  /// Reads a register.
  ///
  /// - Parameters:
  ///   - gpa: the address, at or above `base`.
  ///   - size: **Units** bytes: 1, 2, 4 or 8.
  ///   - vcpu: which vCPU.
  /// - Throws: `PluginError.answer` where the value is wider than `size`.
  public func read(_ gpa: GPA, size: Int, vcpu: Int) throws(PluginError) -> UInt64 {
    let value = try reader.call(context: plugin.context, as: UInt64.self) { frame in
      put(gpa, size, vcpu, in: &frame)
    }
    let room: UInt64 = size >= 8 ? ~0 : (1 << UInt64(max(size, 0) * 8)) - 1
    guard value & ~room == 0 else {
      throw plugin.refusal(
        reader, hex(value), "a read of \(size) bytes has no such bits", bits: value & ~room)
    }
    return value
  }

  /// Reads 1 to 8 bytes, in pieces of the sizes that a device knows, low bytes first.
  ///
  /// - Throws: as `read(_:size:vcpu:)`.
  public func read(offset: UInt64, byteCount: Int) throws(PluginError) -> UInt64 {
    var value: UInt64 = 0
    for piece in Self.pieces(of: byteCount) {
      let gpa = base.wrappingAdd(offset &+ UInt64(piece.offset))
      value |= try read(gpa, size: piece.size, vcpu: 0) << UInt64(piece.offset * 8)
    }
    return value
  }

  /// Writes 1 to 8 bytes, in pieces as `read(offset:byteCount:)`.
  ///
  /// - Throws: `PluginError.crashed`.
  public func write(
    _ value: UInt64, offset: UInt64, byteCount: Int
  ) throws(PluginError) {
    for piece in Self.pieces(of: byteCount) {
      let room: UInt64 = piece.size >= 8 ? ~0 : (1 << UInt64(piece.size * 8)) - 1
      try write(
        base.wrappingAdd(offset &+ UInt64(piece.offset)), size: piece.size, vcpu: 0,
        value: value >> UInt64(piece.offset * 8) & room)
    }
  }

  private static func pieces(of byteCount: Int) -> [(offset: Int, size: Int)] {
    let total = min(max(byteCount, 1), 8)
    var result: [(offset: Int, size: Int)] = []
    var offset = 0
    for size in [8, 4, 2, 1] {
      while total - offset >= size {
        result.append((offset, size))
        offset += size
      }
    }
    return result
  }

  /// Writes a register; parameters as for `read`.
  ///
  /// - Throws: `PluginError.crashed`.
  public func write(
    _ gpa: GPA, size: Int, vcpu: Int, value: UInt64
  ) throws(PluginError) {
    _ = try writer.call(context: plugin.context, as: UInt64.self) { frame in
      put(gpa, size, vcpu, in: &frame)
      frame.put(value)
    }
  }

  private func put(_ gpa: GPA, _ size: Int, _ vcpu: Int, in frame: inout FrameWriter) {
    frame.put(gpa.rawValue)
    frame.put(gpa.rawValue &- base.rawValue)
    frame.put(UInt32(clamping: size))
    frame.put(UInt32(clamping: vcpu))
  }
}

extension Plugin {
  func requiredHook(_ kind: HookKind) throws(PluginError) -> BoundHook {
    guard let hook = hook(kind) else {
      throw PluginError.hook(
        path: path, hook: HookDescriptor.all[kind.rawValue].name,
        reason: "is not served by plugin '\(name)'")
    }
    return hook
  }
}
