import Paging
import Scenario
import Testing

@Suite("Errors of scenario files")
struct DecodingErrorTests {
  private struct Fault: CustomTestStringConvertible, Sendable {
    let text: String
    let line: Int?
    let says: String
    var testDescription: String { says }

    init(_ text: String, line: Int?, _ says: String) {
      (self.text, self.line, self.says) = (text, line, says)
    }

    /// A fault of one step, which is on line 9.
    init(step: String, _ says: String) {
      self.init(Scenarios.long4 + "  - " + step + "\n", line: 9, says)
    }

    /// A fault of one line of the machine, in line 6.
    init(machine: String, _ says: String) {
      self.init(
        """
        scenario: 1
        machine:
          mmu: ept
          guest: long4
          memory: [{gpa: 0x0, size: 1 MiB}]
          \(machine)
        steps: []
        """, line: 6, says)
    }

    /// A fault of one region, in line 7.
    init(region: String, _ says: String) {
      self.init(
        """
        scenario: 1
        machine:
          mmu: ept
          guest: long4
          memory:
            - {gpa: 0x0, size: 1 MiB}
            - \(region)
        steps: []
        """, line: 7, says)
    }
  }

  /// A fault of a step of a machine with a guest inside the guest, on line 8.
  private static func inner(step: String, _ says: String) -> Fault {
    Fault(
      """
      scenario: 1
      machine:
        guest: none
        mmu: ept
        memory: [{gpa: 0x0, size: 1 MiB}]
        nested: {guest: long4, pointer: 0x105e}
      steps:
        - \(step)
      """, line: 8, says)
  }

  private static let nested: [Fault] = [
    Fault(machine: "nested: {guest: long4}", "'pointer' is missing"),
    Fault(machine: "nested: {pointer: 0x105e}", "'guest' is missing"),
    Fault(machine: "nested: {guest: vax, pointer: 0}", "'vax' is not allowed"),
    Fault(machine: "nested: {guest: none, pointer: 0, eptp: 0}", "unknown key 'eptp'"),
    Fault(machine: "nested: {guest: none, pointer: -1}", "is not a number"),
    Fault(machine: "nested: {guest: none, pointer: 0, cr3: 0x10000000000000}", "out of range"),
    // EPTPs: memory type 1, a reserved bit.
    Fault(machine: "nested: {guest: none, pointer: 0x1059}", "would fail"),
    Fault(machine: "nested: {guest: none, pointer: 0x185e}", "would fail"),
    Fault(step: "read: {va: 0, nested: true}", "no guest is inside the guest here"),
    inner(step: "read: {va: 0, nested: perhaps}", "neither true nor false"),
    inner(step: "nested-map: {gpa: 0, to: 0, size: 4 KiB}", "'permissions' is missing"),
    inner(step: "nested-map: {gpa: 8, to: 0, size: 4 KiB, permissions: -rwx}", "gpa is a multiple"),
    inner(step: "nested-map: {gpa: 0, to: 8, size: 4 KiB, permissions: -rwx}", "to is a multiple"),
    inner(
      step: "nested-map: {gpa: 0, to: 0, size: 4 KiB, permissions: -rwx, page-size: 2 MiB}",
      "size is a multiple"),
    inner(
      step: "nested-map: {gpa: 0, to: 0, size: 4 KiB, permissions: -rwx, tables-at: 8}",
      "tables-at is a multiple"),
    inner(
      step: "nested-map: {gpa: 0, to: 0, size: 128 TiB, permissions: -rwx}", "more than 4194304"),
    inner(
      step: "nested-map: {gpa: 0xffffffffff000, to: 0, size: 8 KiB, permissions: -rwx}",
      "pass the end"),
    inner(step: "nested-enter: {}", "'pointer' is missing"),
    inner(step: "nested-enter: {pointer: 0, vcpu: 1}", "1 is out of range"),
    inner(step: "invept: {eptp: 1}", "unknown key 'eptp'"),
    inner(step: "invvpid: {vpid: 0x10000}", "out of range"),
    inner(step: "invvpid: {vpid: 1, keep-globals: some}", "neither true nor false"),
  ]

  @Test("F15 what is wrong with a guest inside the guest names its line", arguments: nested)
  private func nestedFault(_ fault: Fault) throws { try check(fault) }

  private static let yaml: [Fault] = [
    Fault("", line: nil, "empty"),
    Fault("# nothing\n", line: nil, "empty"),
    Fault("scenario: 1\nmachine: {\n", line: 3, "not valid YAML"),
    Fault("a: b\n---\nc: d\n", line: 2, "not valid YAML"),
    Fault("[1, 2]", line: 1, "'key: value' pairs"),
    Fault("scenario: 1\nname: &a x\nb: *a\n", line: 2, "anchors and aliases"),
    Fault("scenario: 1\nname: {'\n # ', x: &a 1}\n", line: 3, "anchors and aliases"),
    Fault("scenario: 1\n<<: {name: x}\nmachine: 1\n", line: 3, "pairs are expected"),
    Fault("scenario: 1\n? [a, b]\n: c\n", line: 2, "text is expected"),
    Fault("scenario: !!int 1\n", line: 1, "tags are refused"),
    Fault("scenario: 1\nname: !secret x\n", line: 2, "tags are refused"),
    Fault("scenario: 1\nscenario: 1\n", line: 1, "there twice"),
    Fault("scenario: 2\n", line: 1, "'2' is not allowed (1)"),
    Fault("scenario: 1\n", line: 1, "'machine' is missing"),
    Fault("name: x\nmachine: {}\n", line: 1, "'scenario' is missing"),
    Fault(
      "scenario: 1\nname: " + String(repeating: "[", count: 200)
        + String(repeating: "]", count: 200),
      line: 2, "nested deeper"),
    Fault(
      "scenario: 1\nname: " + String(repeating: "[{? ", count: 490)
        + String(repeating: "}]", count: 490), line: 2, "nested deeper"),
    Fault(
      "scenario: 1\nname: " + String(repeating: "[", count: 50_000), line: 2, "not valid YAML"),
    Fault(
      "scenario: 1\nname: x\nx:\n" + String(repeating: "- ", count: 5000), line: nil,
      "not valid YAML"),
  ]

  private static let machines: [Fault] = [
    Fault(machine: "colour: blue", "unknown key 'colour' (allowed: guest, mmu, layout, maxphyaddr"),
    Fault(machine: "maxphyaddr: 31", "31 is out of range (32 to 52)"),
    Fault(machine: "maxphyaddr: 53", "53 is out of range"),
    Fault(machine: "maxphyaddr: 0o40", "'0o40' is not a number"),
    Fault(machine: "maxphyaddr: -40", "'-40' is not a number"),
    Fault(machine: "maxphyaddr: [40]", "text is expected"),
    Fault(machine: "features: nx", "a list is expected"),
    Fault(machine: "features: [nx, warp]", "'warp' is not allowed (nx, pse"),
    Fault(machine: "vcpus: 0", "0 is out of range (1 to 64)"),
    Fault(machine: "vcpus: 65", "65 is out of range"),
    Fault(machine: "tlb: {entries: 16}", "'ways' is missing"),
    Fault(machine: "tlb: {entries: 16, ways: 3}", "a TLB of 16 entries in 3 ways"),
    Fault(machine: "tlb: {entries: 1 GiB, ways: 1}", "out of range"),
    Fault(machine: "tables: {page-limit: 0}", "0 is out of range"),
    Fault(machine: "registers: {cr9: 1}", "unknown key 'cr9'"),
    Fault(machine: "registers: {pkru: 0x100000000}", "out of range"),
    Fault(machine: "registers: {cr0: 0x1}", "the registers select the mode none"),
    Fault(machine: "registers: {cr4: 0x0}", "select the mode legacy32, the guest is long4"),
    Fault(machine: "registers: {cr3: 0x10000000000000}", "cr3 has reserved bits 0x10000000000000"),
    Fault(machine: "registers: {efer: 0x400}", "EFER.LMA is set without EFER.LME"),
  ]

  private static let regions: [Fault] = [
    Fault(region: "{gpa: 0x100000}", "'size' is missing"),
    Fault(region: "{gpa: 0x100001, size: 4 KiB}", "multiples of 4 KiB"),
    Fault(region: "{gpa: 0x100000, size: 100}", "multiples of 4 KiB"),
    Fault(region: "{gpa: 0x100000, size: 65 TiB}", "out of range"),
    Fault(region: "{gpa: 0x100000, size: 64 TiB}", "more than 64 TiB of memory together"),
    Fault(region: "{gpa: 0xff000, size: 4 KiB}", "overlap the region of line 6"),
    Fault(region: "{gpa: 0x0, size: 4 KiB, device: uart}", "overlap the region of line 6"),
    Fault(region: "{gpa: 0xffffffffff000, size: 8 KiB}", "passes the end"),
    Fault(region: "{gpa: 0x100000, size: 4 KiB, device: toaster}", "'toaster' is not allowed"),
    Fault(
      region: "{gpa: 0x100000, size: 4 KiB, device: uart, readonly: true}", "neither read-only"),
    Fault(region: "{gpa: 0x100000, size: 4 KiB, image: none.core}", "none.core: "),
    Fault(region: "{gpa: 0x100000, size: 4 KiB, image: a, device: ram}", "unknown key 'device'"),
    Fault(region: "{gpa: 0x100000, size: 4 KiB, hugepages: 3 MiB}", "'3 MiB' is not allowed"),
    Fault(region: "{gpa: 0x100000, size: 4 KiB, readonly: maybe}", "neither true nor false"),
  ]

  /// A fault of a plugin, in line 4.
  private static let plugins: [Fault] = [
    ("{hooks: [fault_policy]}", "'path' is missing"),
    ("{path: a.so, hooks: fault_policy}", "a list is expected"),
    ("{path: a.so, settings: [a]}", "pairs are expected"),
    ("{path: a.so, bind: {fault_policy: {symbol: f}}}", "'signature' is missing"),
    ("{path: a.so, bind: {fault_policy: {symbol: f, signature: g, h: i}}}", "unknown key 'h'"),
    (
      "{path: a.so, hooks: [], bind: {fault_policy: {symbol: f, signature: g}}}",
      "get no hooks and no settings"
    ),
  ].map { plugin, says in
    Fault(
      "scenario: 1\nmachine: {guest: none, mmu: ept, memory: []}\nplugins:\n  - \(plugin)\n"
        + "steps: []\n",
      line: 4, says)
  }

  @Test("a plugin that cannot be names its line", arguments: plugins)
  private func pluginFault(_ fault: Fault) throws { try check(fault) }

  private static let steps: [Fault] = [
    Fault(machine: "ve-areas: [0x8001]", "multiple of 4 KiB"),
    Fault(machine: "ve-areas: [0x8000, 0x9000]", "2 ve-areas for 1 vCPUs"),
    Fault(
      "scenario: 1\nmachine:\n  mmu: ept\n  guest: long4\n  features: [ve]\n"
        + "  memory: []\nsteps: []",
      line: 3, "needs ve-areas"),
    Fault(region: "{gpa: 1 MiB, size: 4 KiB, device: uart, private: true}", "is ram or"),
    Fault(region: "{gpa: 1 MiB, size: 4 KiB, image: x, private: true}", "needs mmu: tdx"),
    Fault(region: "{gpa: 1 MiB, size: 4 KiB, device: uart, ve: true}", "a device has no pages"),
    Fault(step: "convert: {gpa: 0x800, size: 4 KiB, to: shared}", "multiple of 4 KiB"),
    Fault(step: "convert: {gpa: 0x0, size: 4 KiB, to: nobody}", "private, shared"),
    Fault(step: "accept: {gpa: 0x1000, size: 2 MiB, page-size: 2 MiB}", "multiples of 2 MiB"),
    Fault(step: "tdx: {add: {gpa: 0, size: 4 KiB}, track: {}}", "tdx is one of"),
    Fault(step: "tdx: {resize: {}}", "unknown key 'resize'"),
    Fault(step: "{}", "a step is one of read, write, fetch, map"),
    Fault(step: "{jump: {va: 1}}", "unknown key 'jump'"),
    Fault(step: "{invlpg: {va: 1}, audit: {}}", "here are 'invlpg', 'audit'"),
    Fault(step: "read: {size: 8}", "'va' is missing"),
    Fault(step: "read: {va: 0x10000000000000000}", "is not a number"),
    Fault(step: "read: {va: 0x, size: 1}", "is not a number"),
    Fault(step: "read: {va: 0, size: 0}", "0 is out of range (1 to 4096)"),
    Fault(step: "read: {va: 0, size: 17, as: number}", "at most 16 bytes"),
    Fault(step: "read: {va: 0, as: poem}", "'poem' is not allowed"),
    Fault(step: "read: {va: 0, vcpu: 1}", "1 is out of range (0 to 0)"),
    Fault(step: "read: {va: 0, value: 1}", "unknown key 'value'"),
    Fault(step: "write: {va: 0}", "'value' is missing"),
    Fault(step: "write: {va: 0, value: 256, size: 1}", "does not fit 1 bytes"),
    Fault(step: "write: {va: 0, value: -1}", "not a number of up to 128 bits"),
    Fault(step: "write: {va: 0, value: 0x+1}", "not a number of up to 128 bits"),
    Fault(step: "write: {va: 0, value: 1, size: 17}", "17 is out of range"),
    Fault(step: "map: {va: 1, gpa: 0, size: 4 KiB, permissions: ur--}", "va is a multiple"),
    Fault(step: "map: {va: 0, gpa: 0, size: 4 KiB, permissions: rw}", "four characters"),
    Fault(step: "map: {va: 0, gpa: 0, size: 256 TiB, permissions: urwx}", "more than 4194304"),
    Fault(
      step: "map: {va: 0, gpa: 0xffffffffff000, size: 8 KiB, permissions: ur--}", "pass the end"),
    Fault(
      step: "map: {va: 0, gpa: 0, size: 4 KiB, permissions: ur--, tables-at: 0x10}", "tables-at"),
    Fault(step: "poke: {gpa: 0}", "'value' is missing"),
    Fault(step: "poke: {gpa: 0, bytes: abc}", "pairs of hex digits"),
    Fault(step: "poke: {gpa: 0, bytes: +1}", "pairs of hex digits"),
    Fault(step: "set-register: {vcpu: 0}", "a register is one of cr0"),
    Fault(step: "set-register: {cr3: 1, cr4: 1}", "here are 'cr3', 'cr4'"),
    Fault(step: "set-register: {pkru: 0x100000000}", "out of range"),
    Fault(
      step: "repeat: {count: 0, range: [0, 8], access: {read: {}}}", "0 is out of range"),
    Fault(step: "repeat: {count: 1, range: [0], access: {read: {}}}", "two addresses"),
    Fault(step: "repeat: {count: 1, range: [8, 0], access: {read: {}}}", "range is empty"),
    Fault(step: "repeat: {count: 1, range: [0, 4], access: {read: {}}}", "smaller than the access"),
    Fault(step: "repeat: {count: 1, range: [0, 64], access: {jump: {}}}", "unknown key 'jump'"),
    Fault(
      step: "repeat: {count: 1, range: [0, 64], access: {read: {va: 1}}}", "unknown key 'va'"),
    Fault(
      step: "parallel: [{steps: "
        + "["
        + String(
          repeating:
            "{repeat: {count: 100000000, range: [0, 64], access: {read: {}}}}, ", count: 11)
        + "]}]", "1100000000 accesses here (at most 1000000000)"),
    Fault(
      step: "repeat: {count: 100000000, range: [0, 1 TiB], access: {write: {value: 1}}}",
      "written pages here (at most 4194304)"),
    Fault(step: "memslot: {add: {gpa: 0, size: 4 KiB, device: uart}}", "holds ram or none"),
    Fault(step: "memslot: {move: {gpa: 0}}", "'to' is missing"),
    Fault(step: "memslot: {remove: {gpa: 0x10}}", "gpa is a multiple of 4 KiB"),
    Fault(step: "memslot: {add: {gpa: 16 MiB, size: 64 TiB}}", "more than 64 TiB"),
    Fault(step: "parallel: []", "at least one lane"),
    Fault(step: "parallel: [{steps: []}, {steps: []}]", "vCPU 0 has a lane already"),
    Fault(step: "parallel: [{steps: [{map: {}}]}]", "unknown key 'map'"),
    Fault(step: "replay: {trace: there-is-none}", "there-is-none: cannot be read"),
    Fault(step: "audit: {deep: true}", "unknown key 'deep'"),
    Fault(step: "{audit: {}, expect: {ok: yes}}", "neither true nor false"),
    Fault(step: "{audit: {}, expect: {sound: loud}}", "unknown key 'sound'"),
    Fault(step: "{audit: {}, expect: {fault: {vector: 32}}}", "32 is out of range"),
    Fault(step: "{audit: {}, expect: {exits: {explosion: 1}}}", "unknown key 'explosion'"),
    Fault(step: "{audit: {}, expect: {tlb: maybe}}", "'maybe' is not allowed (hit, miss)"),
  ]

  @Test("a damaged or refused file names its line", arguments: yaml)
  private func yamlFault(_ fault: Fault) throws { try check(fault) }

  @Test("a machine that cannot be names its line", arguments: machines)
  private func machineFault(_ fault: Fault) throws { try check(fault) }

  @Test("a region that cannot be names its line", arguments: regions)
  private func regionFault(_ fault: Fault) throws { try check(fault) }

  @Test("a step that cannot be names its line", arguments: steps)
  private func stepFault(_ fault: Fault) throws { try check(fault) }

  private func check(_ fault: Fault) throws {
    let error = try #require(Scenarios.error(fault.text), "no error")
    #expect(error.message.contains(fault.says), "\(error)")
    if let line = fault.line { #expect(error.line == line, "\(error)") }
    #expect(!error.message.contains("\n"))
  }

  @Test("bytes that are no UTF-8, and files that are too large, are refused")
  func bytesAreChecked() {
    #expect(throws: ScenarioError(line: nil, "the file is not UTF-8 text")) {
      try Scenario(yaml: [0x61, 0x3A, 0xFF])
    }
    let large = [UInt8](repeating: UInt8(ascii: "#"), count: (4 << 20) + 1)
    #expect { try Scenario(yaml: large) } throws: { error in
      (error as? ScenarioError)?.message.hasPrefix("the file has 4194305 bytes") == true
    }
  }

  @Test("the TLBs of all vCPUs are bounded together")
  func manyTLBs() {
    let text = """
      scenario: 1
      machine:
        guest: none
        mmu: ept
        vcpus: 64
        tlb: {entries: 65536, ways: 4}
        memory: []
      steps: []
      """
    #expect(
      Scenarios.error(text)
        == ScenarioError(
          line: 6, "64 TLBs of 65536 entries (at most 1048576 entries together)"))
  }

  @Test("guest: from-image without an image is refused with the machine's line")
  func fromImageNeedsAnImage() {
    let text = "scenario: 1\nmachine: {guest: from-image, mmu: ept, memory: []}\nsteps: []\n"
    #expect(Scenarios.error(text)?.line == 2)
    #expect(Scenarios.error(text)?.message.contains("needs a memory entry with an image") == true)
  }

  @Test("PAE whose PDPTEs lie in no memory is refused with the registers' line")
  func paeNeedsMemory() {
    let text = """
      scenario: 1
      machine:
        guest: pae
        mmu: ept
        memory: [{gpa: 0x0, size: 1 MiB}]
        registers: {cr3: 0x80000000}
      steps: []
      """
    #expect(Scenarios.error(text)?.line == 6)
    #expect(Scenarios.error(text)?.message.contains("no memory holds the PDPTEs") == true)
  }

  @Test("numbers are decimal, hex, or with a unit, and never octal")
  func numbersAreRead() throws {
    let text =
      Scenarios.long4 + "  - read: {va: 0010}\n  - read: {va: 0x10}\n  - read: {va: 4 KiB}\n"
    let addresses = try Scenarios.read(text).steps.map { step in
      if case .access(let access) = step.action { access.va.rawValue } else { 0 as UInt64 }
    }
    #expect(addresses == [10, 16, 4096])
  }

  @Test("text may hold what would otherwise be YAML's")
  func textIsText() throws {
    let text =
      "scenario: 1\nname: \"R&D: a *p, 5 & 6 [{\"\n"
      + "machine: {guest: none, mmu: ept, memory: []}\nsteps: []\n"
    #expect(throws: Never.self) { try Scenarios.read(text.replacing("*p", with: "* p")) }
    #expect(Scenarios.error(text)?.line == 2)
  }
}
