import Foundation
import TestSupport
import Testing

/// What holds for every file that belongs to the project.
@Suite("The project's files")
struct TrackedFileTests {
  private static let root = SharedFiles.packageRoot

  /// Whether the package is a checkout, and not an unpacked archive.
  private static var isCheckout: Bool { FileManager.default.fileExists(atPath: root + "/.git") }

  /// The files under version control.
  private static func trackedFiles() throws -> [String] {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["git", "-c", "safe.directory=*", "-C", root, "ls-files", "-z"]
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let list = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0, "git ls-files")
    return String(decoding: list, as: UTF8.self).split(separator: "\0").map(String.init)
  }

  /// The text of a file, or `nil` where it is none.
  private static func text(of file: String) -> String? {
    guard let data = FileManager.default.contents(atPath: root + "/" + file),
      !data.contains(0)
    else { return nil }
    return String(data: data, encoding: .utf8)
  }

  /// What a machine's own paths begin with; put together here, so that this file holds none.
  private static let machinePaths = ["work", "root", "opt/swift", "home", "Users"].map {
    "/" + $0 + "/"
  }

  /// Whether a text names a path of somebody's machine, and not a longer path that holds such a part.
  private static func machinePath(in text: String) -> String? {
    machinePaths.first { path in
      text.ranges(of: path).contains { range in
        guard range.lowerBound > text.startIndex else { return true }
        let before = text[text.index(before: range.lowerBound)]
        return !(before.isLetter || before.isNumber || "-_.)}/".contains(before))
      }
    }
  }

  @Test("no file names a path of somebody's machine", .enabled(if: isCheckout, "no checkout"))
  func noMachinePaths() throws {
    let files = try Self.trackedFiles()
    #expect(files.contains("Package.swift"))
    for file in files {
      guard let text = Self.text(of: file) else { continue }
      let path = Self.machinePath(in: text)
      #expect(path == nil, "\(file) names \(path ?? "")")
    }
  }

  @Test("machine paths are told from parts of others")
  func machinePathsAreFound() {
    let path = Self.machinePaths[0]
    #expect(Self.machinePath(in: "see \(path)x") == path)
    #expect(Self.machinePath(in: "\(path)x") == path)
    #expect(Self.machinePath(in: "Sources\(path)x") == nil)
    #expect(Self.machinePath(in: "https://example.org\(path)x") == nil)
  }

  @Test(
    "every link of a Markdown file leads to a file, and to a heading where it names one",
    .enabled(if: isCheckout, "no checkout"))
  func linksResolve() throws {
    let files = try Self.trackedFiles()
    var count = 0
    for file in files where file.hasSuffix(".md") {
      let text = try #require(Self.text(of: file), "\(file) is no text")
      let folder = file.split(separator: "/").dropLast().joined(separator: "/")
      for link in Self.links(in: text) where !link.contains("://") && !link.hasPrefix("mailto:") {
        count += 1
        let parts = link.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
        let target =
          parts[0].isEmpty
          ? file : URL(filePath: "/\(folder)/\(parts[0])").standardized.path.dropFirst().description
        let exists = FileManager.default.fileExists(atPath: Self.root + "/" + target)
        #expect(exists, "\(file) links to \(link)")
        guard exists, parts.count == 2, target.hasSuffix(".md") else { continue }
        let headings = Self.headings(in: Self.text(of: target) ?? "")
        #expect(headings.contains(String(parts[1])), "\(file) links to \(link)")
      }
    }
    #expect(count > 10)
  }

  @Test("links and headings are read as Markdown has them")
  func markdownIsRead() {
    #expect(Self.links(in: "a [b](c.md) and [d](e#f)\n```\n[no](x)\n```\n") == ["c.md", "e#f"])
    #expect(Self.headings(in: "# Two words, `code`\n## A-b\n") == ["two-words-code", "a-b"])
  }

  /// The targets of a Markdown text's inline links, those in fenced blocks left out.
  private static func links(in text: String) -> [String] {
    var isFenced = false
    var links: [String] = []
    for line in text.split(separator: "\n") {
      if line.hasPrefix("```") { isFenced.toggle() }
      if isFenced { continue }
      for part in line.split(separator: "](", omittingEmptySubsequences: false).dropFirst() {
        links.append(String(part.prefix { $0 != ")" && $0 != " " }))
      }
    }
    return links
  }

  /// The names by which links reach a Markdown text's headings.
  private static func headings(in text: String) -> Set<String> {
    var names: Set<String> = []
    for line in text.split(separator: "\n") where line.hasPrefix("#") {
      let words = line.drop { $0 == "#" }.drop { $0 == " " }.lowercased()
      names.insert(
        String(
          words.compactMap { character in
            if character == " " { return "-" as Character }
            let isKept = character.isLetter || character.isNumber || "-_".contains(character)
            return isKept ? character : nil
          }))
    }
    return names
  }
}
