import Foundation
import GuestImage
import Paging
import SystemPackage
import TestSupport
import Testing
import X86

@Suite("Memory of a running QEMU")
struct LiveMemoryTests {
  static let registers = #"""
    \r\nCPU#0\r\nRAX=0000000000000001 RBX=0000000000000002 RCX=0000000000000003\r\n\#
    R8 =00000000000000aa RIP=ffffffff81000000 RFL=00000246 [---Z-P-] CPL=3 II=0\r\n\#
    CR0=80050033 CR2=0000000000001000 CR3=0000000000002000 CR4=000000a0\r\nEFER=0000000000000d01\r\n
    """#
  static let view = #"""
    FlatView #0\r\n AS \"cpu-smm-0\", root: memory\r\n\#
      0000000000000000-0000000000000fff (prio 0, ram): m0 @0000000000003000\r\n\r\n\#
    FlatView #1\r\n AS \"memory\", root: system\r\n AS \"cpu-memory-0\", root: system\r\n\#
     Root memory region: system\r\n\#
      0000000000000000-0000000000002fff (prio 0, ram): m0 KVM\r\n\#
      0000000000003000-0000000000003fff (prio 1, rom): m0 @0000000000001000\r\n\#
      00000000fec00000-00000000fec00fff (prio 0, i/o): m0\r\n\#
      00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios\r\n\#
      0000000100000000-0000000100000fff (prio 0, ram): m0 @0000000000003000\r\n\r\nFlatView #2\r\n\#
      0000000200000000-0000000200000fff (prio 0, ram): m0\r\n
    """#

  /// What a well-behaved QEMU answers, one answer exchanged.
  static func script(
    ram: String, isShared: Bool = true, replacing command: String = "",
    by action: FakeQEMU.Action = .silence
  ) -> @Sendable (String) -> FakeQEMU.Action {
    let properties = Counter()
    return { line in
      if line == command { return action }
      switch line {
      case "query-cpus-fast":
        return .value(
          #"[{"cpu-index":0,"qom-path":"/machine/cpu[0]","target":"x86_64","thread-id":7}]"#)
      case "info registers": return .value("\"\(registers)\"")
      case "info mtree -f": return .value("\"\(view)\"")
      case "qom-list":
        return .value(
          #"[{"name":"type","type":"string"},{"name":"m0","type":"child<memory-backend-file>"}]"#)
      case "qom-get":
        // phys-bits, offset, mem-path, share: the order of the questions.
        switch properties.next() % 4 {
        case 0: return .value("40")
        case 1: return .refusal("no such property")
        case 2: return .value("\"\(ram)\"")
        default: return .value("\(isShared)")
        }
      default: return .refusal("unknown command")
      }
    }
  }

  final class Counter: @unchecked Sendable {
    private var value = 0
    private let lock = NSLock()
    func next() -> Int {
      lock.withLock {
        value += 1
        return value - 1
      }
    }
  }

  /// A file of four pages, each of its own number.
  private func memory(pages: Int = 4) throws -> String {
    let path = NSTemporaryDirectory() + "/ram-\(UUID().uuidString)"
    let bytes = (0..<pages).flatMap { [UInt8](repeating: UInt8($0 + 1), count: 4096) }
    try Data(bytes).write(to: URL(filePath: path))
    return path
  }

  @Test("registers and layout are taken from QEMU, nothing is assumed")
  func readsLayout() throws {
    let ram = try memory()
    defer { try? FileManager.default.removeItem(atPath: ram) }
    let qemu = FakeQEMU(Self.script(ram: ram))
    defer { qemu.end() }
    let guest = try QEMUGuest(qmp: FilePath(qemu.path))
    let image = try GuestImage(of: guest, memory: FilePath(ram))
    #expect(image.isLive)
    #expect(image.vCPUs.count == 1)
    let state = try #require(image.vCPUs.first)
    #expect(state.cr0 == 0x8005_0033)
    #expect(state.cr3 == 0x2000)
    #expect(state.cr4 == 0xA0)
    #expect(state.efer == 0xD01)
    #expect(state.rip == 0xFFFF_FFFF_8100_0000)
    #expect(state.generalRegisters[0] == 1 && state.generalRegisters[8] == 0xAA)
    #expect(state.privilegeLevel == 3)
    #expect(image.segments.map(\.gpa) == [GPA(0), GPA(0x3000), GPA(0x1_0000_0000)])
    #expect(image.byte(at: GPA(0x2FFF)) == 3)
    #expect(image.byte(at: GPA(0x3000)) == 2, "the shadowed page lies elsewhere in the file")
    #expect(image.byte(at: GPA(0x1_0000_0FFF)) == 4)
    #expect(image.byte(at: GPA(0xFEC0_0000)) == nil)
    #expect(image.byte(at: GPA(0x2_0000_0000)) == nil, "another address space")
    let resolved = try ImageRegisters(of: image)
    #expect(resolved.registers.mode == .long4)
    #expect(resolved.features.physicalAddressWidth == 40)
    #expect(resolved.notes.isEmpty)
  }

  @Test("what the guest writes is seen at once, and never written here")
  func isLive() throws {
    let ram = try memory()
    defer { try? FileManager.default.removeItem(atPath: ram) }
    let qemu = FakeQEMU(Self.script(ram: ram))
    defer { qemu.end() }
    let image = try GuestImage(
      of: try QEMUGuest(qmp: FilePath(qemu.path)), memory: FilePath(ram))
    #expect(image.byte(at: GPA(0x10)) == 1)
    let file = try FileHandle(forWritingTo: URL(filePath: ram))
    try file.seek(toOffset: 0x10)
    try file.write(contentsOf: Data([0x77]))
    #expect(image.byte(at: GPA(0x10)) == 0x77)
    let exchange = image.compareExchange(
      GPA(0), expected: 0x0101_0101_0101_0101 as UInt64, desired: 0)
    #expect(try exchange.get() == .readOnly)
  }

  @Test("a backend that is private, unknown or smaller than the memory is refused")
  func badBackends() throws {
    let ram = try memory()
    let other = try memory()
    let short = try memory(pages: 3)
    defer { for path in [ram, other, short] { try? FileManager.default.removeItem(atPath: path) } }
    func error(_ script: @escaping @Sendable (String) -> FakeQEMU.Action, _ file: String)
      -> ImageError?
    {
      let qemu = FakeQEMU(script)
      defer { qemu.end() }
      guard let guest = try? QEMUGuest(qmp: FilePath(qemu.path)) else { return nil }
      do throws(ImageError) {
        _ = try GuestImage(of: guest, memory: FilePath(file))
        return nil
      } catch {
        return error
      }
    }
    #expect(error(Self.script(ram: ram, isShared: false), ram) == .backendNotShared(name: "m0"))
    #expect(error(Self.script(ram: ram), other) == .noSuchBackend(["m0 (\(ram))"]))
    guard case .segmentCutShort = error(Self.script(ram: short), short) else {
      Issue.record("a file that is too short was taken")
      return
    }
    let none = Self.script(ram: ram, replacing: "qom-list", by: .value("[]"))
    #expect(error(none, ram) == .noSuchBackend([]))
    // A relative name is compared by its last part.
    let name = try #require(FilePath(ram).lastComponent?.string)
    #expect(error(Self.script(ram: "elsewhere/" + name), ram) == nil)
  }

  @Test(
    "a QEMU that is silent, hangs up, refuses or lies is an error in time",
    .timeLimit(.minutes(15)),
    arguments: [
      "qmp", "query-cpus-fast", "info registers", "info mtree -f", "qom-list",
    ])
  func hostileAnswers(command: String) throws {
    let actions: [(FakeQEMU.Action, String)] = [
      (.silence, "in time"), (.hangUp, "closed"), (.refusal("not\\nnow"), "refuses"),
      (.bytes(Array("{\"return\":".utf8) + [10]), "not an answer"),
      (.bytes(Array("[1,2]\n".utf8)), "not an answer"), (.value("17"), "not an answer"),
      (.bytes([UInt8](repeating: UInt8(ascii: "["), count: 100_000) + [10]), "not an answer"),
      (.bytes([0xFF, 0xFE, 0, 10]), "not an answer"),
    ]
    for (action, words) in actions where command != "qmp" {
      let qemu = FakeQEMU(Self.script(ram: "/none", replacing: command, by: action))
      defer { qemu.end() }
      let error = #expect(throws: QMPError.self) {
        try QEMUGuest(qmp: FilePath(qemu.path), timeout: .milliseconds(300))
      }
      #expect(error?.description.contains(words) == true, "\(String(describing: error))")
      #expect(error?.description.contains { $0.isNewline } == false)
    }
    if command == "qmp" {
      let greetings = [nil, "", "hello\n", "{\"QMP\":1}\n", "{}\n"] as [String?]
      for greeting in greetings {
        let qemu = FakeQEMU(greeting: greeting)
        defer { qemu.end() }
        #expect(throws: QMPError.self) {
          try QEMUGuest(qmp: FilePath(qemu.path), timeout: .milliseconds(300))
        }
      }
    }
  }

  @Test("events without end and lines without end stop at a limit")
  func floods() {
    let event = Array("{\"event\":\"X\"}\n".utf8)
    let flood = FakeQEMU.Action.bytes(Array(repeatElement(event, count: 10_001).joined()))
    let endless = FakeQEMU.Action.bytes([UInt8](repeating: 32, count: 17 << 20))
    for action in [flood, endless] {
      let qemu = FakeQEMU(Self.script(ram: "/none", replacing: "query-cpus-fast", by: action))
      defer { qemu.end() }
      let error = #expect(throws: QMPError.self) {
        try QEMUGuest(qmp: FilePath(qemu.path), timeout: .seconds(60))
      }
      guard case .malformed = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
    }
  }

  @Test("a socket that is not there, is no socket, or has too long a name is an error")
  func badSockets() throws {
    let file = try memory()
    defer { try? FileManager.default.removeItem(atPath: file) }
    for path in ["/nowhere/socket", file, ""] {
      #expect(throws: QMPError.self) { try QEMUGuest(qmp: FilePath(path)) }
    }
    let long = "/tmp/" + String(repeating: "a", count: 200)
    #expect(throws: QMPError.nameTooLong(limit: 107)) { try QEMUGuest(qmp: FilePath(long)) }
  }

  @Test("registers that decide about paging must be listed")
  func missingRegisters() {
    for name in ["CR0", "CR3", "CR4", "EFER"] {
      let text = Self.registers.replacingOccurrences(of: name + "=", with: "X=")
      let qemu = FakeQEMU(
        Self.script(ram: "/none", replacing: "info registers", by: .value("\"\(text)\"")))
      defer { qemu.end() }
      let error = #expect(throws: QMPError.self) { try QEMUGuest(qmp: FilePath(qemu.path)) }
      #expect(error == .malformed("info registers of vCPU 0 without \(name)"))
    }
  }

  @Test("a processor that is not x86, or none, is refused")
  func otherProcessors() {
    let arm = #"[{"cpu-index":0,"qom-path":"/x","target":"aarch64"}]"#
    for (answer, expected) in [
      (arm, QMPError.notX86(target: "aarch64")), ("[]", .malformed("0 vCPUs (1...4096)")),
    ] {
      let qemu = FakeQEMU(
        Self.script(ram: "/none", replacing: "query-cpus-fast", by: .value(answer)))
      defer { qemu.end() }
      #expect(throws: expected) { try QEMUGuest(qmp: FilePath(qemu.path)) }
    }
  }
}
