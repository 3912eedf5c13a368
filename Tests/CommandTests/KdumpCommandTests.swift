import Foundation
import GuestImage
import Paging
import SystemPackage
import Testing

@Suite("Dumps of a real QEMU", .serialized)
struct KdumpCommandTests {
  @Test(
    "QEMU's kdump files of every compression hold what its ELF core and the guest's memory hold",
    .enabled(if: LiveGuest.program != nil, "qemu-system-x86_64 is not installed"),
    .timeLimit(.minutes(45)))
  func dumpsAgree() throws {
    let guest = try LiveGuest(
      program: try #require(LiveGuest.program), machine: "pc", megabytes: 48)
    defer { guest.end() }
    let core = try guest.dump().get()
    let plain = try GuestImage(contentsOf: FilePath(core))
    let ram = try Data(contentsOf: URL(filePath: guest.ram))
    var dumps = 0
    for flag in ["-z", "-l", "-s"] {
      let file: String
      switch try guest.dump(flag) {
      case .success(let path): file = path
      case .failure(let refusal):
        print("no dump with \(flag): \(refusal.words)")
        continue
      }
      dumps += 1
      let image = try GuestImage(contentsOf: FilePath(file))
      #expect(image.format == .kdump)
      #expect(image.vCPUs == plain.vCPUs)
      #expect(image.machine == plain.machine)
      // What the guest wrote, its tables, and all that lies between them.
      #expect(
        try image.read(GPA(0x10_0000), count: ram.count - 0x10_0000).get()
          == [UInt8](ram[0x10_0000...]))
      #expect(image.memorySize >= plain.memorySize)
      for command in [["map", "--format", "qemu"], ["tree", "--json"], ["roots", "--json"]] {
        let told = try Command([command[0], file] + command.dropFirst())
        #expect(told.status == 0, "\(told.error)")
        #expect(told.output == (try Command([command[0], core] + command.dropFirst())).output)
      }
      let info = try Command(["info", file])
      #expect(info.output.contains("kdump, ELF machine 62"), "\(info.output)")
    }
    #expect(dumps > 0, "zlib is always there")
  }
}
