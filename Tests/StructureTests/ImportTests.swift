import Foundation
import TestSupport
import Testing

/// The picture of the design: who may import whom.
@Suite("Imports point one way")
struct ImportTests {
  /// What each target of the project may import of the project.
  private static let allowed: [String: Set<String>] = {
    var table: [String: Set<String>] = [
      "Paging": [],
      "X86": ["Paging"],
    ]
    // A mode knows the core and what the modes share, never another mode.
    for mode in modes { table[mode] = ["Paging", "X86"] }
    table["X86Guest"] = ["Paging", "X86", "X86Legacy32", "X86PAE", "X86Long"]
    let core = Set(table.keys)
    table["CPageFile"] = []
    table["CPrefetch"] = []
    table["MMU"] = core.union(["CPageFile", "CPrefetch"])
    table["Machine"] = core.union(["MMU"])
    // Around the core: what users touch.
    table["Schedules"] = core.union(["MMU", "Machine"])
    table["Notation"] = []
    table["PluginHost"] = core.union(["MMU", "CELF", "CFFI", "CMMUPlugin", "CWorker"])
    table["GuestImage"] = core.union(["Notation", "CELF"])
    table["Report"] = core.union(["Notation", "MMU", "Machine", "GuestImage"])
    table["Explain"] = core.union(["Report"])
    table["AccessCases"] = core.union(["Notation", "Report"])
    table["CKVM"] = []
    table["RealCPU"] = core.union(["AccessCases", "CKVM"])
    table["Inspection"] = core.union(["Notation", "GuestImage", "Report"])
    let composing = core.union(["Notation", "MMU", "Machine", "GuestImage", "PluginHost"])
    table["Scenario"] = composing.union(["Report"])
    table["Forecast"] = core.union(["MMU", "GuestImage", "Report", "Scenario"])
    table["CEmbedding"] = composing
    table["MMUBench"] = composing.union([
      "Scenario", "Report", "Inspection", "CBenchTwin", "CKVM", "CPrefetch", "RealCPU",
    ])
    table["MMUCommand"] = Set(table.keys).subtracting(["CEmbedding"])
    return table
  }()

  private static let modes = [
    "X86Legacy32", "X86PAE", "X86Long", "X86EPT", "X86NPT", "X86TDX", "X86Shadow",
  ]
  /// What an embedder links: the standard library and nothing else.
  private static let core = Set(modes).union(["Paging", "X86", "X86Guest", "MMU", "Machine"])
  private static let coreModules: Set<String> = ["Swift", "Synchronization"]
  /// The C library, where host memory comes from: for `MMU` alone.
  private static let platform: Set<String> = ["Glibc", "Musl", "Darwin"]

  private struct Import {
    var target: String
    var file: String
    var module: String
  }

  @Test("every source imports only layers below its own")
  func importsPointDown() throws {
    let imports = try Self.imports()
    #expect(imports.contains { $0.target == "X86Guest" && $0.module == "X86Long" })
    let own = Set(Self.allowed.keys).union(try Self.targets())
    for found in imports where own.contains(found.module) && found.module != found.target {
      let allowed = Self.allowed[found.target]
      #expect(allowed != nil, "\(found.target) has no row in the table of this test")
      #expect(allowed?.contains(found.module) != false, "\(found.file) imports \(found.module)")
    }
  }

  @Test("core targets import the standard library alone")
  func coreHasNoDependencies() throws {
    let own = Set(Self.allowed.keys)
    for found in try Self.imports() where Self.core.contains(found.target) {
      let isPlatform = found.target == "MMU" && Self.platform.contains(found.module)
      #expect(
        own.contains(found.module) || Self.coreModules.contains(found.module) || isPlatform,
        "\(found.file) imports \(found.module)")
    }
  }

  @Test("the table of allowed imports has no circle and no edge between modes")
  func tableIsLayered() {
    for mode in Self.modes {
      #expect(Self.allowed[mode]?.isDisjoint(with: Self.modes) == true)
    }
    for (target, below) in Self.allowed {
      for other in below {
        #expect(Self.allowed[other]?.contains(target) != true, "\(target) and \(other)")
      }
    }
  }

  @Test(
    "import lines are read with their modifiers",
    arguments: [
      ("public import Paging", "Paging"), ("import struct Foundation.Data", "Foundation"),
      ("@_exported import X86", "X86"), ("  internal import X86PAE // why", "X86PAE"),
      ("@preconcurrency package import Yams", "Yams"), ("// import X86", nil),
      ("let important = 1", nil), ("#if canImport(Glibc)", nil),
    ] as [(String, String?)])
  func importLines(line: String, module: String?) {
    #expect(Self.module(in: line) == module)
  }

  private static func targets() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: SharedFiles.packageRoot + "/Sources")
  }

  private static func imports() throws -> [Import] {
    let sources = SharedFiles.packageRoot + "/Sources"
    let files = try #require(FileManager.default.enumerator(atPath: sources))
    var found: [Import] = []
    for case let file as String in files where file.hasSuffix(".swift") {
      let target = String(file.prefix { $0 != "/" })
      let text = try String(contentsOfFile: sources + "/" + file, encoding: .utf8)
      for line in text.split(separator: "\n") {
        guard let module = module(in: String(line)) else { continue }
        found.append(Import(target: target, file: file, module: module))
      }
    }
    return found
  }

  /// The module that a line imports, if it imports one.
  private static func module(in line: String) -> String? {
    var words = line.split(whereSeparator: \.isWhitespace).map(String.init)
    let modifiers = ["public", "package", "internal", "fileprivate", "private"]
    while let word = words.first, word.hasPrefix("@") || modifiers.contains(word) {
      words.removeFirst()
    }
    guard words.first == "import" else { return nil }
    words.removeFirst()
    let kinds = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
    if let word = words.first, kinds.contains(word) { words.removeFirst() }
    return words.first.map { String($0.prefix { $0 != "." && $0 != ";" }) }
  }
}
