import Foundation
import GuestImage
import SystemPackage

/// A real QEMU that runs a small guest in long mode, its memory in a file.
final class LiveGuest {
  static let program = ["/usr/bin/qemu-system-x86_64", "/usr/local/bin/qemu-system-x86_64"].first {
    FileManager.default.isExecutableFile(atPath: $0)
  }
  /// So much that every machine puts some above 4 GiB: how much, each decides for itself.
  static let megabytes = 3584 + 64

  let socket: String
  let ram: String
  private let folder: String
  private let process = Process()

  /// Starts QEMU and waits until the guest has switched paging on.
  ///
  /// - Parameter megabytes: the guest's memory.
  init(program: String, machine: String, megabytes: Int = megabytes) throws {
    folder = NSTemporaryDirectory() + "/live-\(UInt32.random(in: 0...UInt32.max))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    socket = folder + "/qmp"
    ram = folder + "/ram"
    try Data(Self.kernel).write(to: URL(filePath: folder + "/kernel"))
    process.executableURL = URL(filePath: program)
    process.arguments = [
      "-display", "none", "-nodefaults", "-no-user-config", "-accel", "tcg", "-smp", "2",
      "-m", "\(megabytes)M",
      "-object",
      "memory-backend-file,id=ram0,size=\(megabytes)M,mem-path=\(ram),share=on",
      "-machine", "\(machine),memory-backend=ram0", "-qmp", "unix:\(socket),server=on,wait=off",
      "-kernel", folder + "/kernel",
    ]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    for _ in 0..<300 {
      if let text = try? monitor("info registers", cpu: 0), text.contains("EFER=0000000000000d00"),
        text.contains("HLT=1")
      {
        return
      }
      guard process.isRunning else { break }
      Thread.sleep(forTimeInterval: 0.1)
    }
    end()
    throw Failure()
  }

  struct Failure: Error {}

  /// Ends QEMU, which nothing else would.
  func end() {
    // A child has the signal mask of the thread that started it, so a polite signal may not arrive.
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    try? FileManager.default.removeItem(atPath: folder)
  }

  /// Lets QEMU write a dump of the guest's memory.
  ///
  /// - Parameter flag: the form, such as `-z`; none for an ELF core.
  /// - Returns: the file, which goes with the guest; or what QEMU says against it.
  func dump(_ flag: String = "") throws -> Result<String, Refusal> {
    let file = folder + "/dump\(flag)"
    let said = try monitor("dump-guest-memory \(flag) \(file)", cpu: 0)
    guard said.allSatisfy(\.isWhitespace) else { return .failure(Refusal(words: said)) }
    return .success(file)
  }

  /// QEMU does not do what it was asked for.
  struct Refusal: Error { let words: String }

  /// What QEMU's monitor says.
  func monitor(_ line: String, cpu: Int) throws -> String {
    let deadline = ContinuousClock.now.advanced(by: .seconds(20))
    var qemu = QMPConnection(try QMPSocket(FilePath(socket), until: deadline))
    try qemu.begin()
    return try qemu.monitor(line, cpu: cpu)
  }

  /// A multiboot program at 1 MiB: it switches long mode on over the tables that it brings along, writes
  /// a word through the page at 0x5000, which lies at 4 GiB, and halts.
  ///
  /// The tables: PML4 at 0x101000 (entries 0 and 511), PDPT 0x102000 (0 and 511), PD 0x103000 (a table,
  /// two large pages), PT 0x104000.
  static let kernel: [UInt8] = {
    var bytes = [UInt8](repeating: 0, count: 0x5000)
    func put(_ value: UInt64, _ count: Int, at offset: Int) {
      for index in 0..<count { bytes[offset + index] = UInt8(value >> (index * 8) & 0xFF) }
    }
    let header: [UInt64] = [
      0x1BAD_B002, 1 << 16, (~(0x1BAD_B002 + 1 << 16) &+ 1) & 0xFFFF_FFFF, 0x100000, 0x100000,
      0x105000, 0x105000, 0x100020,
    ]
    for (index, word) in header.enumerated() { put(word, 4, at: index * 4) }
    let code: [UInt8] = [
      0xB8, 0xA0, 0, 0, 0, 0x0F, 0x22, 0xE0,  // CR4: PAE, PGE
      0xB8, 0x00, 0x10, 0x10, 0, 0x0F, 0x22, 0xD8,  // CR3
      0xB9, 0x80, 0, 0, 0xC0, 0x0F, 0x32, 0x0D, 0, 9, 0, 0, 0x0F, 0x30,  // EFER: LME, NXE
      0xB8, 0x11, 0, 1, 0x80, 0x0F, 0x22, 0xC0,  // CR0: PG, WP, PE
      0xC7, 0x05, 0, 0x50, 0, 0, 0x6C, 0x69, 0x76, 0x65,  // [0x5000] = "live"
      0xF4, 0xEB, 0xFD,
    ]
    for (index, byte) in code.enumerated() { bytes[0x20 + index] = byte }
    func entry(_ table: Int, _ index: Int, _ value: UInt64) {
      put(value, 8, at: table - 0x100000 + index * 8)
    }
    entry(0x101000, 0, 0x102007)
    entry(0x101000, 511, 0x102003)
    entry(0x102000, 0, 0x103007)
    entry(0x102000, 511, 0x103003)
    entry(0x103000, 0, 0x104007)
    entry(0x103000, 1, 0x200183)
    entry(0x103000, 2, 0x8000_0000_0040_0085)
    entry(0x104000, 5, 0x1_0000_0003)
    entry(0x104000, 6, 0x1_03FF_F000 | 1 << 63 | 5)
    for page in 0x100...0x104 { entry(0x104000, page, UInt64(page) << 12 | 3) }
    return bytes
  }()
}
