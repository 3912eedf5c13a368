internal import CMMUPlugin
internal import Paging

/// The services, with C's types. What comes from the plugin is checked as far as it can be: null,
/// sizes, numbers; that a pointer has the bytes it promises is the plugin's word.
extension ServiceTable {
  @unsafe
  func log(_ severity: Int32, _ message: UnsafePointer<CChar>?) {
    guard let text = unsafe Self.text(message) else { return }
    let severity = PluginSeverity(rawValue: severity) ?? (severity < 0 ? .debug : .error)
    services.log(text.foldedToLine, severity: severity, from: plugin)
  }

  @unsafe
  func count(_ counter: UnsafePointer<CChar>?, _ amount: UInt64) {
    guard let name = unsafe Self.text(counter), !name.isEmpty else { return }
    services.count(name.foldedToLine, by: amount, from: plugin)
  }

  @unsafe
  func read(_ gpa: UInt64, _ bytes: UnsafeMutableRawPointer?, _ size: UInt64) -> Int32 {
    if size == 0 { return MMU_PLUGIN_OK }
    guard let bytes = unsafe bytes, let count = Int(exactly: size),
      !gpa.addingReportingOverflow(size - 1).overflow
    else { return MMU_PLUGIN_FAILED }
    var span = unsafe UnsafeMutableRawBufferPointer(start: bytes, count: count).mutableBytes
    return services.read(GPA(gpa), into: &span) ? MMU_PLUGIN_OK : MMU_PLUGIN_FAILED
  }

  @unsafe
  func write(_ gpa: UInt64, _ bytes: UnsafeRawPointer?, _ size: UInt64) -> Int32 {
    if size == 0 { return MMU_PLUGIN_OK }
    guard let bytes = unsafe bytes, let count = Int(exactly: size),
      !gpa.addingReportingOverflow(size - 1).overflow
    else { return MMU_PLUGIN_FAILED }
    let span = unsafe UnsafeRawBufferPointer(start: bytes, count: count).bytes
    return services.write(span, to: GPA(gpa)) ? MMU_PLUGIN_OK : MMU_PLUGIN_FAILED
  }

  @unsafe
  func translate(
    _ vcpu: UInt32, _ gva: UInt64, _ access: UInt32, _ user: UInt32,
    _ gpa: UnsafeMutablePointer<UInt64>?
  ) -> Int32 {
    guard let gpa = unsafe gpa, let kind = AccessKind(rawValue: UInt8(exactly: access) ?? 255),
      let result = services.translate(
        GVA(gva), vcpu: Int(vcpu), for: kind, isUser: user != 0)
    else { return MMU_PLUGIN_FAILED }
    unsafe gpa.pointee = result.rawValue
    return MMU_PLUGIN_OK
  }
}
