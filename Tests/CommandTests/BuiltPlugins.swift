import Foundation
import TestSupport
import Testing

/// The shared objects that the makefile of the plugins builds, in a folder of their own.
final class BuiltPlugins: Sendable {
  let folder: String

  init(rustc: String? = nil) throws {
    folder =
      FileManager.default.temporaryDirectory
      .appendingPathComponent("built-plugins-\(UUID().uuidString)").path
    try #require(
      Self.make(["OUT=\(folder)"] + (rustc.map { ["RUSTC=\($0)"] } ?? [])).status == 0)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  /// Runs the plugins' makefile, or another.
  static func make(
    _ arguments: [String], in directory: String = SharedFiles.packageRoot + "/Plugins"
  ) throws -> (status: Int32, output: String) {
    let make = Process()
    make.executableURL = URL(filePath: "/usr/bin/env")
    make.arguments = ["make", "-s", "--no-print-directory", "-C", directory] + arguments
    let output = Pipe()
    make.standardOutput = output
    try make.run()
    let bytes = output.fileHandleForReading.readDataToEndOfFile()
    make.waitUntilExit()
    return (make.terminationStatus, String(decoding: bytes, as: UTF8.self))
  }

  /// The path of a plugin.
  subscript(name: String) -> String { folder + "/\(name).so" }
}
