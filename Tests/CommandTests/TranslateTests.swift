import Foundation
import Notation
import SharedData
import Testing

@Suite("mmu translate and walk")
struct TranslateTests {
  static let isHere = SharedData.images != nil

  private func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

  private func image(_ name: String) throws -> String {
    try #require(SharedData.images) + "/" + name
  }

  @Test(
    "W12 the program gives every sample of every image, in order",
    .enabled(if: isHere, "the recorded images are not here"),
    arguments: SharedData.guests.map { ($0, "core") } + [("linux64", "lime")])
  func everySampleIsPrinted(name: String, kind: String) throws {
    let manifest = try Manifest.read(name, in: try #require(SharedData.images))
    let input = manifest.samples.map { hex($0.va.value) + "\n" }.joined()
    let run = try Command(["translate", image("\(name).\(kind)"), "-", "--json"], input: input)
    #expect(run.status == 0)
    try #require(run.lines.count == manifest.samples.count)
    for (line, sample) in zip(run.lines, manifest.samples) {
      if let pa = sample.pa {
        let size = sample.pageSize?.value ?? 0
        let expected =
          #"{"va":"\#(hex(sample.va.value))","pa":"\#(hex(pa.value))","pageSize":"\#(hex(size))""#
        #expect(line.hasPrefix(expected))
        #expect(line.contains(#""permissions":"\#(sample.perms ?? "")""#))
      } else {
        let reason = sample.reason
        let expected =
          #"{"va":"\#(hex(sample.va.value))","pa":null,"reason":"\#(reason.text)","level":"#
        #expect(line.hasPrefix(expected + (reason.level.map { "\($0)}" } ?? "")))
      }
    }
  }

  @Test(
    "the keys come in the order of the format", .enabled(if: isHere, "no recorded images"))
  func keysAreOrdered() throws {
    let run = try Command([
      "translate", image("showcase.core"), "0xffffffff872001a0", "0x10", "18446603336221196288",
      "--json",
    ])
    #expect(
      run.lines == [
        #"{"va":"0xffffffff872001a0","pa":"0x68001a0","pageSize":"0x200000","level":2,"#
          + #""permissions":"-r--","global":true,"accessed":true,"dirty":true}"#,
        #"{"va":"0x10","pa":null,"reason":"not present","level":2}"#,
        #"{"va":"0xffff800000000000","pa":null,"reason":"not present","level":4}"#,
      ])
    #expect(run.error.isEmpty)
  }

  @Test(
    "W7 with --access a refusal has vector and error code",
    .enabled(if: isHere, "no recorded images"))
  func accessIsJudged() throws {
    let showcase = try image("showcase.core")
    func line(_ arguments: String...) throws -> Substring? {
      try Command(["translate", showcase, "--json"] + arguments).lines.first
    }
    #expect(
      try line("0x4eda6a", "--access", "write", "--user")
        == #"{"va":"0x4eda6a","pa":null,"reason":"permission","level":1,"vector":14,"error":"0x7"}"#
    )
    #expect(try line("0x4eda6a", "--access", "fetch", "--user")?.contains("0x9e2da6a") == true)
    // SMAP is on in this guest.
    #expect(try line("0x4eda6a", "--access", "read")?.contains(#""error":"0x1""#) == true)
    #expect(try line("0x4eda6a", "--access", "read", "--ac")?.contains("0x9e2da6a") == true)
    #expect(
      try line("0x4eda6a", "--access", "read", "--ac", "--implicit")?.contains("permission") == true
    )
    #expect(
      try line("0x800000000000", "--access", "read")
        == #"{"va":"0x800000000000","pa":null,"reason":"non-canonical","level":4,"#
        + #""vector":13,"error":"0x0"}"#)
    #expect(
      try line("0x10", "--access", "write", "--user")?.hasSuffix(#""vector":14,"error":"0x6"}"#)
        == true)
  }

  @Test(
    "W14 a table that the image does not hold is named with its GPA",
    .enabled(if: isHere, "no recorded images"))
  func missingTableIsNamed() throws {
    let run = try Command([
      "translate", image("showcase.core"), "0x1000", "--cr3", "0xdead000", "--json",
    ])
    #expect(run.status == 0)
    #expect(
      run.output
        == #"{"va":"0x1000","pa":null,"reason":"table unreadable","level":4,"gpa":"0xdead000"}"#
        + "\n")
  }

  @Test("exit statuses: 1 for --all-mapped, 2 for files, 64 for usage")
  func exitStatuses() throws {
    let raw = try TemporaryFile("zeros.raw", String(repeating: "\0", count: 8192))
    let flags = ["--cr3", "0", "--mode", "long4"]
    #expect(try Command(["translate", raw.path, "0x10"] + flags).status == 0)
    #expect(try Command(["translate", raw.path, "0x10", "--all-mapped"] + flags).status == 1)
    let noRoot = try Command(["translate", raw.path, "0x10"])
    #expect(noRoot.status == 2)
    #expect(noRoot.error.hasPrefix("mmu: \(raw.path): no CR3"))
    #expect(noRoot.error.split(separator: "\n").count == 1)
    #expect(noRoot.output.isEmpty)
    let absent = try Command(["translate", "/nonexistent", "0x10"])
    #expect(absent.status == 2)
    #expect(absent.error.hasPrefix("mmu: /nonexistent: cannot be opened"))
    let badInput = try Command(["translate", raw.path, "-"] + flags, input: "0x1\n\nzz\n")
    #expect(badInput.status == 2)
    #expect(badInput.error == "mmu: -:3: 'zz' is not an address (hex with 0x, or decimal)\n")
    #expect(badInput.output.isEmpty)
    for wrong in [
      ["translate"], ["translate", raw.path], ["translate", raw.path, "zz"], ["frobnicate"],
      ["translate", raw.path, "0x1", "--mode", "long6"], ["translate", raw.path, "0x1", "--user"],
      ["translate", raw.path, "0x1", "--maxphyaddr", "53"],
      ["translate", raw.path, "0x1", "--access", "poke"],
      ["translate", raw.path, "0x1", "--cr3", "0x10000000000000000"],
      ["translate", raw.path, "0x1", "--base", "0", "--image-format", "elf"],
      ["walk", raw.path], ["cases"],
    ] {
      #expect(try Command(wrong).status == 64, "\(wrong)")
    }
    #expect(try Command(["--help"]).status == 0)
  }

  @Test("a sidecar beside the image, or named, gives its registers, and a bad one is an error")
  func sidecarIsRead() throws {
    let sidecar = try TemporaryFile("guest.json", #"{"cr3":"0x0","mode":"long4"}"#)
    let raw = String(sidecar.path.dropLast(4)) + "raw"
    try Data(count: 4096).write(to: URL(filePath: raw))
    let found = try Command(["translate", raw, "0", "--json"])
    #expect(found.output == #"{"va":"0x0","pa":null,"reason":"not present","level":4}"# + "\n")
    #expect(found.error.isEmpty)
    let bad = try TemporaryFile("regs.json", #"{"cr3":"q"}"#)
    let refused = try Command(["translate", raw, "0", "--registers", bad.path])
    #expect(refused.status == 2)
    #expect(refused.error.hasPrefix("mmu: \(bad.path): cr3: 'q' is not a number"))
  }

  @Test("an assumed mode is said on standard error alone")
  func assumptionIsSaid() throws {
    let raw = try TemporaryFile("zeros.raw", String(repeating: "\0", count: 4096))
    let run = try Command(["translate", raw.path, "0", "--cr3", "0", "--json"])
    #expect(run.status == 0)
    #expect(run.error.hasPrefix("mmu: note: EFER is not in the image: long4 is assumed"))
    #expect(run.lines.count == 1)
  }

  @Test(
    "W3 a walk in PAE begins with the PDPTE register, which --strict may refuse",
    .enabled(if: isHere, "no recorded images"))
  func walkShowsEveryEntry() throws {
    let core = try image("linux32pae.core")
    let run = try Command(["walk", core, "0xc1000000", "--json"])
    try #require(run.lines.count == 4)
    #expect(
      run.lines[0].hasPrefix(
        #"{"level":3,"name":"PDPTE","gpa":"0x1219c38","value":"0x3e94001","fields":[{"name":"P""#))
    #expect(run.lines[1].hasPrefix(#"{"level":2,"name":"PDE","gpa":"0x3e94040","#))
    #expect(run.lines[2].hasPrefix(#"{"level":1,"name":"PTE","gpa":"0x11bc000","#))
    #expect(run.lines[2].contains(#"{"name":"XD","bits":"63","value":"0x1""#))
    #expect(run.lines[3].hasPrefix(#"{"va":"0xc1000000","pa":"0x1000000","#))
    for line in run.lines {
      #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(line.utf8)) }
    }
    #expect(run.error.contains("bit 5"))
    let strict = try Command(["walk", core, "0xc1000000", "--strict"])
    #expect(strict.status == 2)
    #expect(strict.error.contains("PDPTE 0, 0x2109021, has reserved bits 0x20"))
    let text = try Command(["walk", core, "0xc1000000"]).output
    #expect(
      text.contains("level 2  PDE at GPA 0x3e94040 is 0x11bc063\n    P present, R/W writable, A"))
  }

  @Test("a reader that goes away is no error", .enabled(if: isHere, "no recorded images"))
  func brokenPipeIsQuiet() throws {
    let process = Process()
    process.executableURL = URL(filePath: "/bin/sh")
    let input = try TemporaryFile("addresses", String(repeating: "0x10\n", count: 20_000))
    process.arguments = [
      "-c", #"{ "$0" translate "$1" - --json < "$2"; echo "status $?" >&2; } | head -n 1"#,
      Command.program.path, try image("showcase.core"), input.path,
    ]
    let (output, error) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = error
    try process.run()
    process.waitUntilExit()
    #expect(
      String(decoding: error.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        == "status 0\n")
    #expect(output.fileHandleForReading.readDataToEndOfFile().count == 57)
  }
}
