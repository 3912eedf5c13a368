import Foundation
import Testing

/// The examples of docs/commands are run as they are printed.
@Suite("Documented commands")
struct DocumentedCommandTests {
  struct Example: CustomStringConvertible {
    var file: String
    var arguments: [String]
    var output: [String]
    /// Whether the page leaves the rest of the output out.
    var isShortened = false
    var description: String { "\(file): mmu \(arguments.joined(separator: " "))" }
  }

  private static var root: String {
    var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    parts.removeLast(3)
    return parts.joined(separator: "/")
  }

  static let examples: [Example] = {
    let folder = root + "/docs/commands"
    let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return files.filter { $0.hasSuffix(".md") }.sorted().flatMap { file -> [Example] in
      guard let text = try? String(contentsOfFile: folder + "/" + file, encoding: .utf8) else {
        return []
      }
      return read(text, file)
    }
  }()

  /// Blocks of `console`: a line with `$ mmu …`, then what it prints; `…` alone ends it early.
  private static func read(_ text: String, _ file: String) -> [Example] {
    var examples: [Example] = []
    var isInside = false
    for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
      if line.hasPrefix("```") {
        isInside = line == "```console"
      } else if isInside, line.hasPrefix("$ mmu ") {
        examples.append(Example(file: file, arguments: words(line.dropFirst(6)), output: []))
      } else if isInside, !examples.isEmpty {
        if line == "…" {
          examples[examples.count - 1].isShortened = true
        } else {
          examples[examples.count - 1].output.append(line)
        }
      }
    }
    return examples
  }

  /// Words at blanks; quotes keep one together.
  private static func words(_ line: Substring) -> [String] {
    line.split(separator: "'", omittingEmptySubsequences: false).enumerated().flatMap { part in
      part.offset.isMultiple(of: 2)
        ? part.element.split(separator: " ").map(String.init) : [String(part.element)]
    }
  }

  @Test("every command of the pages is documented with an example")
  func pagesHaveExamples() {
    let files = Set(Self.examples.map(\.file))
    for command in ["explain", "info", "read", "search", "rmap", "audit"] {
      #expect(files.contains("\(command).md"))
    }
  }

  @Test("an example prints what its page says", arguments: examples)
  func exampleIsRight(example: Example) throws {
    let run = try Command(example.arguments, in: Self.root + "/Examples/images")
    var lines = run.output.split(separator: "\n", omittingEmptySubsequences: false)
    if lines.last == "" { lines.removeLast() }
    if example.isShortened {
      #expect(lines.count > example.output.count)
      lines = Array(lines.prefix(example.output.count))
    }
    #expect(lines.map(String.init) == example.output)
  }
}
