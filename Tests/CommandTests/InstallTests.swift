import Foundation
import TestSupport
import Testing

@Suite("make install")
struct InstallTests {
  static func run(
    _ arguments: [String], environment: [String: String] = [:]
  ) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let bytes = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: bytes, as: UTF8.self))
  }

  @Test("a new plugin is built with the installed header, found by pkg-config alone")
  func header() throws {
    let place = try TemporaryFile("empty", "")
    let folder = URL(filePath: place.path).deletingLastPathComponent().path
    let prefix = folder + "/usr"
    let installed = try BuiltPlugins.make(
      ["install-plugin-header", "PREFIX=\(prefix)"], in: SharedFiles.packageRoot)
    try #require(installed.status == 0)
    let environment = ["PKG_CONFIG_PATH": prefix + "/lib/pkgconfig"]
    let version = try Self.run(
      ["pkg-config", "--modversion", "mmu-plugin"], environment: environment)
    #expect(version.output == "1\n")
    #expect(try Command(["plugin", "new", "mine"], in: folder).status == 0)
    let made = try Self.run(["make", "-s", "-C", folder + "/mine"], environment: environment)
    #expect(made.status == 0)
    #expect(try Command(["plugin", "check", folder + "/mine/mine.so"]).status == 0)
  }

  @Test("DESTDIR is where files go and in none of them")
  func destination() throws {
    let place = try TemporaryFile("empty", "")
    let folder = URL(filePath: place.path).deletingLastPathComponent().path
    let installed = try BuiltPlugins.make(
      ["install-plugin-header", "DESTDIR=\(folder)", "PREFIX=/opt/mmu"],
      in: SharedFiles.packageRoot)
    try #require(installed.status == 0)
    let file = try String(
      contentsOfFile: folder + "/opt/mmu/lib/pkgconfig/mmu-plugin.pc", encoding: .utf8)
    #expect(file.hasPrefix("prefix=/opt/mmu\n") && !file.contains("@"))
    for header in ["mmu_plugin.h", "mmu_plugin.rs"] {
      #expect(FileManager.default.fileExists(atPath: folder + "/opt/mmu/include/" + header))
    }
  }
}
