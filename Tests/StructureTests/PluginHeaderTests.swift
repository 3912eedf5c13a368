import Foundation
import TestSupport
import Testing

@Suite("The plugin interface says the same in C and in Rust")
struct PluginHeaderTests {
  private static func text(_ name: String) throws -> String {
    try String(
      contentsOfFile: SharedFiles.packageRoot + "/Plugins/include/" + name, encoding: .utf8)
  }

  /// Names without their prefix, and values in the smallest common notation.
  private static func constants(
    _ text: String, _ pattern: Regex<(Substring, Substring, Substring)>
  ) -> [String: Int64] {
    var found: [String: Int64] = [:]
    for match in text.matches(of: pattern) {
      let digits = match.2.filter { $0 != "_" && $0 != "(" && $0 != ")" }
      let value =
        digits.hasPrefix("0x")
        ? Int64(digits.dropFirst(2).prefix { $0.isHexDigit }, radix: 16)
        : Int64(digits.prefix { $0.isNumber || $0 == "-" })
      found[String(match.1)] = value
    }
    return found
  }

  @Test("each constant has the same value")
  func constants() throws {
    let c = Self.constants(
      try Self.text("mmu_plugin.h"), /#define MMU_PLUGIN_(\w+) (\(?-?[0-9][0-9a-zA-Z]*)/)
    let rust = Self.constants(
      try Self.text("mmu_plugin.rs"), /pub const (\w+): \w+ = (-?[0-9][0-9a-zA-Z_]*);/)
    #expect(c.count > 30)
    #expect(rust.filter { c[$0.key] != $0.value } == [:])
    // The flags of a fault come with its struct, which C alone offers as one parameter.
    #expect(Set(c.keys).subtracting(rust.keys).filter { !$0.hasPrefix("FAULT_") } == [])
  }
}
