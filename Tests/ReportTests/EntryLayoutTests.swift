import Paging
import Report
import Testing
import X86
import X86Guest

@Suite("Layouts of guest entries")
struct EntryLayoutTests {
  private static let regimes: [(X86Mode, X86Regime)] = [
    (.legacy32, regime(cr4: [.pageSizeExtensions], efer: [])),
    (.pae, regime(cr4: [.physicalAddressExtension], efer: [.noExecuteEnable])),
    (.long4, regime(cr4: [.physicalAddressExtension], efer: [.longModeActive])),
    (
      .long5,
      regime(cr4: [.physicalAddressExtension, .linearAddress57], efer: [.longModeActive])
    ),
  ]

  private static func regime(cr4: CR4, efer: EFER) -> X86Regime {
    X86Regime(
      X86Registers(cr0: [.protectionEnable, .paging], cr4: cr4, efer: efer), X86Features())
  }

  @Test("E17 the fields of every kind of entry are ascending and cover each bit once")
  func fieldsCoverTheEntry() {
    for (mode, regime) in Self.regimes {
      #expect(regime.mode == mode)
      let levels = mode == .legacy32 ? 2 : mode == .long5 ? 5 : mode == .long4 ? 4 : 3
      let width = mode == .legacy32 ? 32 : 64
      for level in 1...levels {
        for entry in [0, 1, 0x81] as [UInt64] {
          var next = 0
          for field in regime.fields(of: entry, at: Level(level)) {
            #expect(field.bits.lowerBound == next, "\(mode) \(level) \(field)")
            next = field.bits.upperBound + 1
          }
          #expect(next == width, "\(mode) level \(level) entry \(entry.hex)")
        }
      }
    }
  }

  @Test("W12 an address field and the walk agree on what a leaf maps")
  func addressFieldsAgreeWithTheWalk() throws {
    for (mode, regime) in Self.regimes {
      for (level, entry) in [(1, 0x1234_5001), (2, 0x1240_0081)] as [(Int, UInt64)] {
        let fields = regime.fields(of: entry, at: Level(level))
        let page = try #require(fields.first { $0.name == "PAGE" })
        #expect(entry & page.mask == entry & ~0xFFF, "\(mode)")
        #expect(page.value(in: entry) == entry >> UInt64(page.bits.lowerBound))
      }
    }
  }

  @Test("a report tells set fields in words and all fields in JSON")
  func reportTellsFields() throws {
    let entry: UInt64 = 0x8000_0000_1234_5067
    let regime = try #require(Self.regimes.last).1
    let report = EntryReport(entry, fields: regime.fields(of: entry, at: .pageTable))
    #expect(
      report.words
        == "P present, R/W writable, U/S user, A accessed, D dirty, address of the page 0x12345000,"
        + " XD execute disable")
    #expect(report.json.count == 14)
    #expect(
      report.json.first?.line == #"{"name":"P","bits":"0","value":"0x1","meaning":"present"}"#)
    #expect(EntryReport(0, fields: regime.fields(of: 0, at: .pageTable)).words == "nothing set")
  }
}
