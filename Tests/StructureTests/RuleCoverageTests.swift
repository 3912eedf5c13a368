import FoundationEssentials
import TestSupport
import Testing

@Suite("Rules and tests")
struct RuleCoverageTests {
  /// The rules of entries and of shadow paging, by number.
  static let rules = (1...19).map { "E\($0)" } + (1...18).map { "F\($0)" }
  /// Rules whose tests come with what they are about.
  static let elsewhere: Set<String> = ["F15"]

  @Test("every rule of entries and of shadow paging is named by a test", arguments: rules)
  func named(rule: String) throws {
    if Self.elsewhere.contains(rule) { return }
    #expect(try Self.names.get().contains(rule), "no test names \(rule)")
  }

  /// The rules that names of tests cite.
  private static let names = Result {
    let root = SharedFiles.packageRoot + "/Tests"
    var cited: Set<Substring> = []
    for folder in try FileManager.default.contentsOfDirectory(atPath: root) {
      let files = (try? FileManager.default.contentsOfDirectory(atPath: root + "/" + folder)) ?? []
      for file in files where file.hasSuffix("Tests.swift") {
        let text = try String(contentsOfFile: root + "/" + folder + "/" + file, encoding: .utf8)
        for line in text.split(separator: "\n") {
          let line = line.drop { $0 == " " }
          guard line.hasPrefix("@Test(\"") || line.hasPrefix("\"") else { continue }
          let name = line.drop { $0 != "\"" }.dropFirst().prefix { $0 != "\"" }
          for word in name.split(whereSeparator: { !$0.isLetter && !$0.isNumber }) {
            cited.insert(word)
            guard rules.contains(String(word)) else { break }
          }
        }
      }
    }
    return Set(cited.map(String.init))
  }
}
