import Foundation
import Testing

@Suite("Files that become shorter")
struct ShrunkenFileTests {
  @Test("an image that loses its end while it is in use ends the program in one line")
  func truncated() throws {
    let image = try TemporaryFile("guest.raw", bytes: Array(repeating: 0, count: 1 << 20))
    let process = Process()
    process.executableURL = Command.program
    process.arguments = [
      "translate", image.path, "-", "--cr3", "0xff000", "--mode", "long4",
    ]
    let (input, errors) = (Pipe(), Pipe())
    process.standardInput = input
    process.standardOutput = FileHandle.nullDevice
    process.standardError = errors
    try process.run()
    // The program waits for addresses once it has mapped the image.
    let maps = URL(filePath: "/proc/\(process.processIdentifier)/maps")
    let deadline = ContinuousClock.now + .seconds(60)
    while try !String(decoding: Data(contentsOf: maps), as: UTF8.self).contains(image.path) {
      try #require(ContinuousClock.now < deadline, "the image was not mapped")
      usleep(1000)
    }
    let file = try FileHandle(forWritingTo: URL(filePath: image.path))
    try file.truncate(atOffset: 4096)
    try input.fileHandleForWriting.write(contentsOf: Data("0x1000\n".utf8))
    try input.fileHandleForWriting.close()
    process.waitUntilExit()
    #expect(process.terminationReason == .exit)
    #expect(process.terminationStatus == 2)
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    #expect(text == "mmu: a file became shorter while it was in use (its size is to stay)\n")
  }
}
