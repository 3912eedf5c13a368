import Paging
import PluginHost

/// Services for a plugin without a machine: its lines go to standard error.
struct PluginDiagnostics: PluginServices {
  private let none = NoPluginServices()

  func log(_ message: String, severity: PluginSeverity, from plugin: String) {
    StandardError.write("\(plugin): \(severity): \(message)")
  }

  func count(_ counter: String, by amount: UInt64, from plugin: String) {}

  func read(_ gpa: GPA, into bytes: inout MutableRawSpan) -> Bool {
    none.read(gpa, into: &bytes)
  }

  func write(_ bytes: borrowing RawSpan, to gpa: GPA) -> Bool { none.write(bytes, to: gpa) }

  func translate(_ gva: GVA, vcpu: Int, for access: AccessKind, isUser: Bool) -> GPA? {
    none.translate(gva, vcpu: vcpu, for: access, isUser: isUser)
  }
}
