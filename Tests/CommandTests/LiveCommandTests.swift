import Foundation
import TestSupport
import Testing

@Suite("mmu beside a running QEMU", .serialized)
struct LiveCommandTests {
  private static let addresses: [UInt64] = [
    0x5000, 0x5FFF, 0x6010, 0x7000, 0x10_0020, 0x10_4FFF, 0x10_5000, 0x20_0000, 0x3F_FFFF,
    0x40_1234, 0x60_0000, 0x4000_0000, 0xFFFF_FFFF_C000_5008, 0xFFFF_FFFF_C030_0000,
    0xFFFF_FFFF_8000_0000, 0x8000_0000_0000,
  ]

  private func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

  @Test(
    "a guest under QEMU translates as QEMU's own monitor says",
    .enabled(if: LiveGuest.program != nil, "qemu-system-x86_64 is not installed"),
    .timeLimit(.minutes(45)), arguments: ["pc", "q35"])
  func agreesWithQEMU(machine: String) throws {
    let guest = try LiveGuest(program: try #require(LiveGuest.program), machine: machine)
    defer { guest.end() }
    let live = ["qmp:" + guest.socket, "--ram", guest.ram]
    for cpu in 0..<2 {
      let run = try Command(
        ["translate"] + live + Self.addresses.map(hex) + ["--json", "--cpu", "\(cpu)"])
      #expect(run.status == 0)
      #expect(run.error.isEmpty, "nothing is assumed: \(run.error)")
      try #require(run.lines.count == Self.addresses.count)
      for (line, va) in zip(run.lines, Self.addresses) {
        // The second processor waits in 32-bit code, where addresses have 32 bits.
        if va >> 47 == 1 || cpu == 1, va >> 32 != 0 { continue }
        let said = try guest.monitor("gva2gpa \(hex(va))", cpu: cpu)
        let expected = said.hasPrefix("gpa: ") ? said.dropFirst(5).filter { !$0.isWhitespace } : nil
        #expect(
          line.contains("\"pa\":" + (expected.map { "\"\($0)\"" } ?? "null")), "\(said) \(line)")
      }
    }
    let first = try Command(["translate"] + live + ["0x5000", "0x6010", "0x401234", "--json"])
    #expect(
      first.lines.map { $0.contains("\"permissions\":") ? $0.split(separator: "\"")[17] : "" }
        == ["-rwx", "ur--", "ur--"])
    // Memory above the hole, which the guest has written.
    let bytes = try Command(["read"] + live + ["0x5000", "4", "--raw"])
    #expect(bytes.output == "live")
    let map = try Command(["map"] + live + ["--format", "qemu"])
    let said = try guest.monitor("info mem", cpu: 0).replacingOccurrences(of: "\r", with: "")
    #expect(!map.lines.isEmpty)
    #expect(map.lines == said.split(separator: "\n"))
    let info = try Command(["info"] + live)
    #expect(info.output.contains("mode: long4 (from the image), CR3 0x101000, MAXPHYADDR 40"))
    // The firmware is not in the file: a hole, not zeros.
    let hole = try Command(["read"] + live + ["0xfffffff0", "16", "--raw", "--cpu", "1"])
    #expect(hole.status == 2)
  }

  @Test("a QEMU that does not answer is one line and status 2")
  func deadSockets() throws {
    let ram = try TemporaryFile("ram", "memory")
    let silent = FakeQEMU(greeting: nil)
    defer { silent.end() }
    for socket in ["/nowhere/socket", ram.path, silent.path] {
      let run = try Command([
        "translate", "qmp:" + socket, "--ram", ram.path, "--qmp-timeout", "0.2", "0x1000",
      ])
      #expect(run.status == 2)
      #expect(run.output.isEmpty)
      #expect(run.error.hasPrefix("mmu: qmp:\(socket): "))
      #expect(run.error.split(separator: "\n").count == 1)
    }
  }

  @Test("flags that do not fit a running QEMU are wrong usage")
  func usage() throws {
    for arguments in [
      ["qmp:/s"], ["file.core", "--ram", "x"], ["file.core", "--qmp-timeout", "1"],
      ["qmp:/s", "--ram", "x", "--base", "0x1000"], ["qmp:/s", "--ram", "x", "--qmp-timeout", "0"],
      ["qmp:/s", "--ram", "x", "--image-format", "raw"],
    ] {
      #expect(try Command(["info"] + arguments).status == 64, "\(arguments)")
    }
  }
}
