import Foundation
import SharedData

/// Runs the built `mmu`.
struct Command {
  let status: Int32
  let output: String
  let error: String

  /// The lines of standard output.
  var lines: [Substring] { output.split(separator: "\n") }

  /// Runs `mmu`, or another program of the package, with arguments, feeding it a text.
  ///
  /// - Parameter directory: where it runs, if not where the tests do.
  init(
    _ arguments: [String], input: String = "", program: String = "mmu", in directory: String? = nil
  ) throws {
    let process = Process()
    process.executableURL = Self.program.deletingLastPathComponent().appending(path: program)
    process.arguments = arguments
    if let directory { process.currentDirectoryURL = URL(filePath: directory) }
    let folder = FileManager.default.temporaryDirectory
    let name = "mmu-test-\(UUID().uuidString)"
    let inputFile = folder.appending(path: name + ".in")
    let outputFile = folder.appending(path: name + ".out")
    let errorFile = folder.appending(path: name + ".err")
    defer {
      for file in [inputFile, outputFile, errorFile] {
        try? FileManager.default.removeItem(at: file)
      }
    }
    try Data(input.utf8).write(to: inputFile)
    try Data().write(to: outputFile)
    try Data().write(to: errorFile)
    process.standardInput = try FileHandle(forReadingFrom: inputFile)
    process.standardOutput = try FileHandle(forWritingTo: outputFile)
    process.standardError = try FileHandle(forWritingTo: errorFile)
    try process.run()
    process.waitUntilExit()
    status = process.terminationStatus
    output = String(decoding: try Data(contentsOf: outputFile), as: UTF8.self)
    error = String(decoding: try Data(contentsOf: errorFile), as: UTF8.self)
  }

  /// The program lies beside the tests.
  static var program: URL {
    URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
      .appending(path: "mmu")
  }
}

/// A file that is there while a test runs.
final class TemporaryFile: Sendable {
  let path: String

  convenience init(_ name: String, _ text: String) throws {
    try self.init(name, bytes: Array(text.utf8))
  }

  init(_ name: String, bytes: [UInt8]) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    path = folder.appending(path: name).path
    try Data(bytes).write(to: URL(filePath: path))
  }

  deinit {
    try? FileManager.default.removeItem(at: URL(filePath: path).deletingLastPathComponent())
  }
}
