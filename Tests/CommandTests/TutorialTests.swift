import Foundation
import TestSupport
import Testing

@Suite("The tutorial of docs/tutorials")
struct TutorialTests {
  private static let code = SharedFiles.packageRoot + "/docs/tutorials/code"

  /// Compiles a step as the tutorial's commands do, with warnings as errors.
  private static func compile(_ step: String, to folder: String) throws -> Int32 {
    try InstallTests.run([
      "cc", "-std=c11", "-O2", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror",
      "-I\(SharedFiles.packageRoot)/Plugins/include", "-o", folder + "/guard.so",
      "\(code)/\(step).c",
    ]).status
  }

  private static func folder() throws -> (TemporaryFile, path: String) {
    let place = try TemporaryFile("empty", "")
    return (place, URL(filePath: place.path).deletingLastPathComponent().path)
  }

  @Test("every step compiles; with a manifest it is a plugin", arguments: 1...4)
  func steps(step: Int) throws {
    let (place, folder) = try Self.folder()
    defer { withExtendedLifetime(place) {} }
    #expect(try Self.compile("guard-\(step)", to: folder) == 0)
    let check = try Command(["plugin", "check", folder + "/guard.so"])
    #expect(check.status == (step == 1 ? 2 : 0))
  }

  @Test("the last step makes the scenario's expectations hold, and nothing else does")
  func scenario() throws {
    let (place, folder) = try Self.folder()
    defer { withExtendedLifetime(place) {} }
    try #require(try Self.compile("guard-4", to: folder) == 0)
    let scenario = folder + "/guard.yaml"
    try FileManager.default.copyItem(atPath: Self.code + "/guard.yaml", toPath: scenario)
    let with = try Command(["run", scenario])
    #expect(with.status == 0, "\(with.output)\(with.error)")
    #expect(with.output.contains("guard.refused: 1"))
    #expect(try Command(["run", scenario, "--without-plugins"]).status == 1)
  }
}
