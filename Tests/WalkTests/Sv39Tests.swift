import Foundation
import Paging
import TestSupport
import Testing

/// The walker over a format that is not x86.
@Suite("RISC-V Sv39 through the same walker")
struct Sv39Tests {
  private let memory = GuestTestMemory()
  private let address = GVA(0xFFFF_FFC0_4020_3ABC)

  /// Three tables to one leaf of a level.
  private func write(_ leaf: UInt64, at level: Int = 1, pointer: UInt64 = 1) {
    memory.removeAll()
    for table in level...3 as ClosedRange<Int> {
      let index = Sv39().index(of: address.rawValue, at: Level(table))
      let entry = table == level ? leaf : UInt64(table - 1) << 10 | pointer
      memory.poke(UInt64(table) << 12 | index * 8, entry)
    }
  }

  private func walk(
    _ kind: AccessKind, user: Bool = false, _ format: Sv39 = Sv39(),
    _ strategy: some WalkStrategy = Commit()
  ) -> Result<
    Translation<GuestPhysical, Permissions>, WalkFailure<Sv39.Fault, GuestTestMemory.Hole>
  > {
    FormatRegime(format, root: TableRoot(0x3000 as UInt64)).translate(
      address, for: Sv39.Access(kind: kind, isUser: user), in: memory, strategy)
  }

  private func scause(_ kind: AccessKind, user: Bool = false, _ format: Sv39 = Sv39()) -> Int? {
    guard case .failure(.fault(let fault)) = walk(kind, user: user, format) else { return nil }
    return fault.scause
  }

  @Test("pages of 4 KiB, 2 MiB and 1 GiB are found with their rights", arguments: 1...3)
  func sizes(level: Int) throws {
    write(0x8_0000 << 10 | 0xCF, at: level)
    let found = try walk(.write).get()
    let mask = found.pageSize.offsetMask
    #expect(found.pageSize == PageSize(shift: 3 + 9 * level))
    #expect(found.address.rawValue == 0x8000_0000 | address.rawValue & mask)
    #expect(found.level == Level(level))
    #expect(found.rights == [.read, .write, .execute])
    #expect(memory.exchanges == 0)
  }

  @Test("the cause is 12, 13 or 15 by what was asked")
  func causes() {
    write(0)
    #expect(scause(.fetch) == 12)
    #expect(scause(.read) == 13)
    #expect(scause(.write) == 15)
  }

  @Test("rights are the leaf's; SUM and MXR widen supervisor data")
  func rights() {
    write(0xD9)
    #expect(scause(.read, user: true) == 13)
    #expect(scause(.fetch, user: true) == nil)
    #expect(scause(.fetch, Sv39(sum: true, mxr: true)) == 12)
    #expect(scause(.read, Sv39(sum: true)) == 13)
    #expect(scause(.read, Sv39(mxr: true)) == 13)
    #expect(scause(.read, Sv39(sum: true, mxr: true)) == nil)
    write(0xC7)
    #expect(scause(.write) == nil)
    #expect(scause(.write, user: true) == 15)
    #expect(scause(.fetch) == 12)
  }

  @Test("A and D are set in the leaf alone, or fault where hardware does not set them")
  func accessedAndDirty() {
    write(0x0F)
    #expect(scause(.read, Sv39(updatesAD: false)) == 13)
    #expect(memory.exchanges == 0)
    #expect(scause(.read) == nil)
    #expect(scause(.read, Sv39(updatesAD: false)) == nil)
    #expect(scause(.write, Sv39(updatesAD: false)) == 15)
    #expect(memory.stores.count == 1)
    #expect(scause(.write) == nil)
    #expect((try? walk(.write).get())?.leaf == 0xCF)
    #expect(memory.stores.count == 2)
  }

  @Test(
    "reserved encodings end the walk at their level",
    arguments: [
      (0x5, 1), (0xD, 1), (0x1, 1), (1 << 54 | 0xF, 1), (1 << 60 | 0xF, 1), (1 << 63 | 0xF, 1),
      (1 << 61 | 0xF, 1), (1 << 10 | 0xF, 2), (1 << 27 | 0xF, 3),
    ] as [(UInt64, Int)])
  func reserved(entry: UInt64, level: Int) {
    write(entry, at: level)
    guard case .failure(.fault(let fault)) = walk(.read) else {
      Issue.record("a reserved encoding was walked")
      return
    }
    #expect(fault.cause == .reservedBit && fault.level == Level(level) && fault.scause == 13)
    #expect(fault.isMisaligned == (level > 1))
  }

  @Test("A, D or U in a pointer is reserved", arguments: [0x11, 0x41, 0x81] as [UInt64])
  func pointers(pointer: UInt64) {
    write(0xCF, pointer: pointer)
    #expect(scause(.fetch) == 12)
    write(0xCF)
    #expect(scause(.fetch) == nil)
  }

  private struct Sample: Decodable {
    var va: String
    var pa: String?
    var pageSize: String?
    var perms: String?
    var why: String?
    var read: Bool?
    var userRead: Bool?
  }

  private struct Manifest: Decodable {
    var satp: String
    var svnapot: Bool
    var svpbmt: Bool
    var samples: [Sample]
  }

  private static func number(_ text: String) throws -> UInt64 {
    try #require(UInt64(text.dropFirst(2), radix: 16))
  }

  @Test(
    "every sample of a real guest has the address, size, rights or reason that QEMU gave",
    .enabled(if: SharedData.has("arch/sv39.core"), "the shared data is not there"),
    arguments: ["sv39", "sv39r", "sv39n", "linux-sv39"])
  func samples(name: String) throws {
    let core = try #require(SharedData.bytes("arch/\(name).core"))
    let memory = try #require(ELFSegments<GuestPhysical>(core))
    let text = try #require(SharedData.bytes("arch/\(name).json"))
    let manifest = try JSONDecoder().decode(Manifest.self, from: Data(text))
    let root = (try Self.number(manifest.satp) & 0xFFF_FFFF_FFFF) << 12
    let format = Sv39(sum: true, hasNAPOT: manifest.svnapot, hasPBMT: manifest.svpbmt)
    let regime = FormatRegime(format, root: TableRoot(root))
    let load = Sv39.Access(kind: .read)
    #expect(manifest.samples.count > 600)
    for sample in manifest.samples {
      let address = GVA(try Self.number(sample.va))
      switch regime.translate(address, for: load, in: memory, Probe()) {
      case .success(let found):
        #expect(sample.pa == found.address.description, "\(sample.va)")
        #expect(sample.pageSize == "0x" + String(found.pageSize.bytes, radix: 16), "\(sample.va)")
        #expect(sample.perms == found.rights.description, "\(sample.va)")
      case .failure(.fault(let fault)):
        #expect(sample.pa == nil && sample.why == Self.reason(fault), "\(sample.va)")
      case .failure(let failure): Issue.record("\(sample.va): \(failure)")
      }
      guard let read = sample.read, let userRead = sample.userRead else { continue }
      let user = Sv39.Access(kind: .read, isUser: true)
      let judged = [load, user].map { access in
        if case .success = regime.translate(address, for: access, in: memory, Judge()) {
          true
        } else {
          false
        }
      }
      #expect(judged == [read, userRead], "\(sample.va)")
    }
  }

  private static func reason(_ fault: Sv39.Fault) -> String {
    switch fault.cause {
    case .nonCanonical: "noncanonical"
    case .notPresent: "notpresent@\(fault.level)"
    case .reservedBit: (fault.isMisaligned ? "misaligned@" : "reserved@") + "\(fault.level)"
    default: "\(fault.cause)@\(fault.level)"
    }
  }
}
