import Paging
import TestSupport
import Testing
import X86

@Suite("Tables edited by range")
struct EditorTests {
  private typealias Space = GuestPhysical

  @Test(
    "P7 P8 an identity tree maps its layout, and freed it leaves nothing",
    arguments: ModeCase.allCases)
  func identityTreesAreBuiltAndFreed(mode: ModeCase) throws {
    struct Check: FormatTest {
      func run<Format: BuildablePagingFormat>(
        _ format: Format, access: Format.Access, largePage: PageSize
      ) throws {
        let pages = TablePages<Space>(64)
        let layout = [
          MemoryRange(start: 0, length: 0x9_F000),
          MemoryRange(start: 0x40_0000, length: largePage.bytes * 3 + 0x3000),
        ]
        let editor = try PageTableEditor.identity(
          format, over: layout, permissions: .all, for: access, in: pages.memory,
          takeTable: pages.take, giveTable: pages.give)
        let tables = PageTables(format, root: editor.root)
        for address in [0, 0x9_E123, 0x40_0000, 0x40_0000 + largePage.bytes * 3 + 0x2FFF]
          as [UInt64]
        {
          let found = try tables.translate(Address(address), for: access, in: pages.memory).get()
          #expect(found.address.rawValue == address)
          #expect(format.permissions(of: found.rights).isSuperset(of: [.read, .write, .execute]))
        }
        for address in [0x9_F000, 0x40_0000 + largePage.bytes * 3 + 0x3000] as [UInt64] {
          #expect(throws: (any Error).self) {
            try tables.translate(Address(address), for: access, in: pages.memory).get()
          }
        }
        #expect(
          tables.dataPageSize(at: Address(0x40_0000), for: access, in: pages.memory) == largePage)
        #expect(
          tables.dataPageSize(at: Address(0x1000), for: access, in: pages.memory) == .size4KiB)
        #expect(tables.dataPageSize(at: Address(0x9_F000), for: access, in: pages.memory) == nil)
        #expect(editor.free(in: pages.memory, giveTable: pages.give))
        #expect(pages.inUse.isEmpty && pages.mistakes.isEmpty, "\(pages.mistakes)")
      }
    }
    try mode.run(Check())
  }

  @Test("P7 unmap and protect split what lies in their range in part", arguments: ModeCase.allCases)
  func rangesSplitLargePages(mode: ModeCase) throws {
    struct Check: FormatTest {
      func run<Format: BuildablePagingFormat>(
        _ format: Format, access: Format.Access, largePage: PageSize
      ) throws {
        let pages = TablePages<Space>(64)
        let start = largePage.bytes * 4
        let editor = try PageTableEditor.identity(
          format, over: [MemoryRange(start: start, length: largePage.bytes * 2)],
          permissions: .all, for: access, in: pages.memory, takeTable: pages.take,
          giveTable: pages.give)
        let tables = PageTables(format, root: editor.root)
        func permissions(_ address: UInt64) throws -> Permissions {
          let found = try tables.translate(Address(address), for: access, in: pages.memory).get()
          #expect(found.address.rawValue == address)
          return format.permissions(of: found.rights)
        }
        // The last two pages of the first large page and the first of the second.
        let edge = start + largePage.bytes
        let changed = try editor.protect(
          Address(edge - 0x2000), length: 0x3000, permissions: [.read, .user], for: access,
          in: pages.memory, takeTable: pages.take, giveTable: pages.give)
        #expect(changed == 3)
        #expect(try permissions(edge - 0x3000).contains(.write))
        #expect(try !permissions(edge - 0x2000).contains(.write))
        #expect(try !permissions(edge).contains(.write))
        #expect(try permissions(edge + 0x1000).contains(.write))
        #expect(
          tables.check(Address(edge), .write, isUser: false, for: access, in: pages.memory)
            == .writeError)
        let cleared = try editor.unmap(
          Address(edge), length: largePage.bytes, for: access, in: pages.memory,
          takeTable: pages.take)
        #expect(cleared == Int(largePage.frames))
        #expect(
          tables.check(Address(edge), .read, isUser: false, for: access, in: pages.memory)
            == .notPresent)
        #expect(try permissions(edge - 0x1000) == permissions(edge - 0x2000))
        #expect(editor.free(in: pages.memory, giveTable: pages.give))
        #expect(pages.inUse.isEmpty && pages.mistakes.isEmpty)
      }
    }
    try mode.run(Check())
  }

  @Test("E18 split keeps what every page maps", arguments: ModeCase.allCases)
  func splitKeepsMappings(mode: ModeCase) throws {
    struct Check: FormatTest {
      func run<Format: BuildablePagingFormat>(
        _ format: Format, access: Format.Access, largePage: PageSize
      ) throws {
        let pages = TablePages<Space>(64)
        let start = largePage.bytes * 2
        let editor = try PageTableEditor.identity(
          format, over: [MemoryRange(start: start, length: largePage.bytes)],
          permissions: [.read, .execute, .user], for: access, in: pages.memory,
          takeTable: pages.take, giveTable: pages.give)
        let tables = PageTables(format, root: editor.root)
        let before = try tables.translate(Address(start), for: access, in: pages.memory).get()
        try editor.split(
          Address(start + 0x5000), length: 0x1000, to: .size4KiB, for: access, in: pages.memory,
          takeTable: pages.take)
        for page in 0..<largePage.frames {
          let found = try tables.translate(
            Address(start + page << 12), for: access, in: pages.memory
          ).get()
          #expect(found.address.rawValue == start + page << 12)
          #expect(found.pageSize == .size4KiB)
          #expect(
            format.permissions(of: found.rights) == format.permissions(of: before.rights))
        }
      }
    }
    try mode.run(Check())
  }

  @Test("P7 when pages for tables run out, everything is as before", arguments: ModeCase.allCases)
  func exhaustionRollsBack(mode: ModeCase) throws {
    struct Check: FormatTest {
      func run<Format: BuildablePagingFormat>(
        _ format: Format, access: Format.Access, largePage: PageSize
      ) throws {
        // With ever more pages an operation fails later, until it succeeds.
        var failures = 0
        for count in 1..<64 {
          let pages = TablePages<Space>(count)
          guard
            let editor = try? PageTableEditor.identity(
              format, over: [MemoryRange(start: largePage.bytes, length: largePage.bytes * 2)],
              permissions: [.read], for: access, in: pages.memory, takeTable: pages.take,
              giveTable: pages.give)
          else {
            #expect(pages.inUse.isEmpty && pages.mistakes.isEmpty)
            failures += 1
            continue
          }
          let before = pages.contents
          do {
            try editor.map(
              Address(largePage.bytes * 1023 - 0x1000), to: Address(0x1000),
              length: largePage.bytes + 0x2000, pageSize: .size4KiB, permissions: .all,
              for: access, in: pages.memory, takeTable: pages.take, giveTable: pages.give)
            try editor.protect(
              Address(largePage.bytes + 0x1000), length: largePage.bytes, permissions: .all,
              for: access, in: pages.memory, takeTable: pages.take, giveTable: pages.give)
            #expect(failures > 4)
            return
          } catch TableEditError.noTablePages {
            failures += 1
            // Either operation may have failed; the first leaves what was before.
            if pages.inUse.count == before.count { #expect(pages.contents == before) }
            #expect(pages.mistakes.isEmpty, "\(pages.mistakes)")
          }
        }
        Issue.record("no number of pages was enough")
      }
    }
    try mode.run(Check())
  }

  @Test("P8 a table that two entries link is given back once")
  func sharedTablesAreFreedOnce() throws {
    struct Check: FormatTest {
      func run<Format: BuildablePagingFormat>(
        _ format: Format, access: Format.Access, largePage: PageSize
      ) throws {
        let pages = TablePages<Space>(16)
        let editor = try PageTableEditor.identity(
          format, over: [MemoryRange(start: 0, length: 0x4000)], permissions: .all, for: access,
          in: pages.memory, takeTable: pages.take, giveTable: pages.give)
        let tables = PageTables(format, root: editor.root)
        let directory = try #require(
          tables.table(at: .directory, covering: Address(0), for: access, in: pages.memory))
        let link = pages.memory.peek(directory.rawValue, as: Format.Entry.self)
        let size = UInt64(MemoryLayout<Format.Entry>.size)
        pages.memory.poke(directory.rawValue + 9 * size, link)
        #expect(editor.free(in: pages.memory, giveTable: pages.give))
        #expect(pages.inUse.isEmpty && pages.mistakes.isEmpty, "\(pages.mistakes)")
      }
    }
    for mode in ModeCase.allCases { try mode.run(Check()) }
  }
}
