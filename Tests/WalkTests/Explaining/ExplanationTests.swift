import Explain
import Paging
import Report
import TestSupport
import Testing
import X86

@Suite("Explanations")
struct ExplanationTests {
  private func explain(_ path: TablePath, _ access: X86Access) -> Explanation {
    Explainer(path.memory).explain(
      AccessSituation(path.machine, access, to: GVA(path.address)))
  }

  private func changes(_ told: Explanation) -> [[String]] {
    told.remedies.map { $0.changes.map { $0.words(in: told.situation) } }
  }

  @Test("W8 a user write to a read-only page names R/W of the entry, and nothing else is smaller")
  func readOnlyPage() throws {
    let path = TablePath(.long4, leaf: 0x5)
    let told = explain(path, X86Access(.write, user: true))
    let rule = try #require(told.decidingRule)
    #expect(rule.name == "Read/write flag (R/W)")
    #expect(rule.source == "Intel SDM Vol. 3A, \"Determination of Access Rights\"")
    #expect(rule.words.contains("the PTE has R/W=0"))
    #expect(told.errorCode == [.present, .write, .user])
    #expect(changes(told) == [["set R/W (bit 1) of the PTE at GPA \(GPA(path.place(1)))"]])
    let line = "Page fault (vector 14), error code 0x7 (P W U): permission, level 1"
    #expect(told.text.contains(line))
  }

  @Test("W9 SMAP is lifted by RFLAGS.AC, CR4.SMAP or a supervisor page, the page's own bit first")
  func smap() {
    var path = TablePath(.long4)
    path.machine.cr4 |= 1 << 21
    let told = explain(path, .read)
    #expect(told.decidingRule?.name == "Supervisor-mode access prevention (SMAP)")
    let changes = changes(told).map { $0.joined(separator: "+") }
    #expect(changes.first == "clear U/S (bit 2) of the PTE at GPA \(GPA(path.place(1)))")
    #expect(changes.contains("set RFLAGS.AC"))
    #expect(changes.contains("clear CR4.SMAP"))
  }

  @Test("W7 W8 two entries that refuse take two changes; four take what the rule itself asks for")
  func severalEntries() {
    var path = TablePath(.long4, leaf: 0x3)
    path.set(2, 0x1000 | 0x3)
    let pair = explain(path, X86Access(.read, user: true))
    #expect(pair.remedies.count == 1)
    #expect(pair.remedies.first?.changes.count == 2)
    path = TablePath(.long4, leaf: 0x3, tables: 0x3)
    let all = explain(path, X86Access(.read, user: true))
    #expect(all.remedies.count == 1)
    #expect(all.remedies.first?.changes.count == 4)
    #expect(all.decidingRule?.words.contains("PML4E and PDPTE and PDE and PTE has U/S=0") == true)
  }

  @Test("W14 a page that is not in the memory is not called not present")
  func missingTable() {
    let path = TablePath(.long4)
    path.set(2, 0xDEAD_F000 | 7)
    let told = explain(path, .read)
    guard case .tableUnreadable(let entry, "PTE", .pageTable, _) = told.outcome else {
      Issue.record("\(told.outcome)")
      return
    }
    #expect(entry.rawValue >> 12 == 0xDEADF)
    let words = "the page that holds the PTE (GPA \(entry)) is not in this file"
    #expect(told.decidingRule?.words == words)
    #expect(told.remedies.isEmpty && told.errorCodeBits.isEmpty)
    #expect(told.text.contains { $0.hasPrefix("That is not the same as not mapped") })
  }

  @Test("W13 a non-canonical address is told with the canonical one it may have meant")
  func nonCanonical() {
    var path = TablePath(.long4)
    path.address |= 1 << 60
    let told = explain(path, .read)
    #expect(told.decidingRule?.name == "Canonical address")
    #expect(changes(told) == [["use the address 0x123456"]])
    #expect(told.errorCodeBits.isEmpty)
    let line = "General-protection fault (vector 13), error code 0x0: non-canonical"
    #expect(told.text.contains(line))
  }

  @Test("W4 reserved bits are named one by one, with the reason where a register makes them so")
  func reservedBits() {
    var path = TablePath(.long4, leaf: 0x7 | 1 << 63 | 1 << 45)
    path.machine.efer &= ~(1 << 11)
    let told = explain(path, .read)
    #expect(
      told.decidingRule?.words.hasSuffix(
        "45, 63 (XD is reserved while EFER.NXE=0; addresses have 40 bits (MAXPHYADDR))") == true)
    #expect(told.errorCode == [.present, .reserved])
    #expect(told.remedies.first?.changes.count == 2)
  }

  @Test("an entry that is not present asks for P, and says where that would lead")
  func notPresent() {
    let path = TablePath(.legacy32)
    path.set(1, 0x5000_0006)
    let told = explain(path, .write)
    #expect(told.decidingRule?.name == "P of the PTE")
    #expect(changes(told) == [["set P (bit 0) of the PTE at GPA \(GPA(path.place(1)))"]])
    #expect(told.remedies.first?.leadsTo == GPA(0x5000_0456))
    path.set(2, 0)
    let bare = explain(path, .write)
    #expect(bare.remedies.isEmpty)
    #expect(bare.text.last?.hasPrefix("No change of the entries read") == true)
  }

  @Test("the JSON has every part, once, in the documented order")
  func json() {
    let path = TablePath(.pae, leaf: 0x5)
    let line = explain(path, X86Access(.write, user: true)).json.line
    #expect(
      line.hasPrefix(
        #"{"va":"0x123456","linear":"0x123456","access":{"kind":"write","user":true,"#
          + #""implicit":false,"ac":false,"stack":false,"shadowStack":false,"pkru":"0x0","#
          + #""pkrs":"0x0"},"mode":"pae","#
          + #""cr3":"0x2000","entries":[{"level":3,"name":"PDPTE","gpa":"0x2000","register":true,"#)
    )
    #expect(
      line.contains(
        #""outcome":{"ok":false,"reason":"permission","level":1,"vector":14,"error":"0x7","#
          + #""errorBits":[{"bit":0,"name":"P","set":true,"#))
    #expect(
      line.hasSuffix(
        #""memoryType":null,"changes":[{"pa":"0x40000456","steps":[{"change":"entry","name":"PTE","#
          + #""level":1,"gpa":"0x1918","bit":1,"from":"0x40000005","to":"0x40000007","#
          + #""words":"set R/W (bit 1) of the PTE at GPA 0x1918"}]}]}"#))
  }
}
