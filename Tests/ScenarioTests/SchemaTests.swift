import Foundation
import Scenario
import Testing

@Suite("JSON Schema of scenarios")
struct SchemaTests {
  private static var file: URL {
    Scenarios.root.appending(path: "Examples/scenario.schema.json")
  }

  /// Together with the examples these reach every key that the decoder knows.
  private static let everything = """
    scenario: 1
    name: everything
    machine:
      guest: long4
      mmu: ept
      maxphyaddr: 40
      features: [nx, ve]
      registers: {cr0: 0x80010001, cr3: 0x1000, cr4: 0xa0, efer: 0xd00, pkru: 0}
      vcpus: 2
      nested: {guest: long4, pointer: 0x105e, cr3: 0x1000}
      ve-areas: [0x8000, 0x9000]
      tlb: {entries: 64, ways: 4}
      memory: [{gpa: 0x0, size: 1 MiB, image: x, hugepages: 2 MiB, readonly: false, private: false, ve: false, post-copy: true, smm: false, backing: anonymous}, {gpa: 1 MiB, size: 4 KiB, device: none}]
      nx-huge-pages: true
      stale-translations: true
      tables: {page-limit: 64, in-snapshots: kept}
    plugins:
      - {path: x.so, hooks: [fault_policy], settings: {a: b}}
      - {path: x.so, bind: {mmio_spte_mask: {symbol: s, signature: t}}}
    steps:
      - read: {va: 0, size: 8, as: text, user: true, ac: true, implicit: false, handle-ve: false, vcpu: 1, nested: false}
        expect: {ok: true, value: 1, text: a, bytes: 00, gpa: 0, exits: {ept-violation: 1, ept-misconfiguration: 1, nested-page-fault: 1, shadow-page-fault: 1, ve: 1, pml-full: 1, dirty-ring-full: 1, memory-fault: 1, invlpg: 1, cr-write: 1, tdx-exit: 1, error: 1}, exits-at-most: 1, tlb: hit, mmio: true, fetched: 1, fault: {vector: 14, error: 1}, reflected: {cause: ept-violation, information: 1, gpa: 0, va: 0}, status: TDX_SUCCESS, stale: none, ve: {gpa: 0, gva: 0, qualification: 0}}
      - write: {va: 0, value: 1, size: 8, user: true, ac: true, implicit: false, handle-ve: false, vcpu: 1, nested: false}
      - fetch: {va: 0, size: 8, as: bytes, user: true, ac: true, implicit: false, handle-ve: false, vcpu: 1, nested: false}
      - map: {va: 0, gpa: 0, size: 4 KiB, permissions: urwx, page-size: 4 KiB, tables-at: 0, vcpu: 1, nested: false}
      - poke: {gpa: 0, text: a}
      - poke: {gpa: 0, bytes: 00}
      - poke: {gpa: 0, value: 1, size: 8}
      - invlpg: {va: 0, vcpu: 1, nested: false}
      - set-register: {cr0: 0, vcpu: 1, nested: false}
      - set-register: {cr3: 0}
      - set-register: {cr4: 0}
      - set-register: {efer: 0}
      - set-register: {pkru: 0}
      - set-register: {pkrs: 0}
      - repeat: {count: 1, pattern: random, seed: 1, range: [0, 64], access: {read: {size: 8, as: number, user: true, ac: true, implicit: true, handle-ve: false, vcpu: 1, nested: false}}}
      - repeat: {count: 1, range: [0, 64], access: {write: {value: 1, size: 8, user: true, ac: true, implicit: true, handle-ve: false, vcpu: 1, nested: false}}}
      - repeat: {count: 1, range: [0, 64], access: {fetch: {size: 8, as: number, user: true, ac: true, implicit: true, handle-ve: false, vcpu: 1, nested: false}}}
      - memslot: {add: {gpa: 2 MiB, size: 4 KiB}}
      - memslot: {remove: {gpa: 2 MiB}}
      - memslot: {move: {gpa: 1 MiB, to: 2 MiB}}
      - memslot: {flags: {gpa: 2 MiB, readonly: true}}
      - parallel: [{vcpu: 0, nested: false, steps: [{read: {va: 0}}, {write: {va: 0, value: 1}}, {fetch: {va: 0}}, {invlpg: {va: 0}}, {set-register: {pkru: 0}}, {convert: {gpa: 0, size: 4 KiB, to: shared}}, {accept: {gpa: 0, size: 4 KiB}}, {vmcall: {map-gpa: {gpa: 0, size: 4 KiB}}}, {repeat: {count: 1, range: [0, 64], access: {read: {}}}}]}]
      - replay: {trace: x}
      - audit: {}
        expect: {count: 1}
      - dirty-log: {start: {gpa: 0x0, method: pml, initially-set: true, split-pages: 1}}
      - dirty-log: {get: {gpa: 0x0}}
      - dirty-log: {clear: {gpa: 0x0}}
      - dirty-log: {stop: {gpa: 0x0}}
      - age: {gpa: 0x0, size: 4 KiB, clear: false}
      - host-unmap: {gpa: 0x0, size: 4 KiB}
      - convert: {gpa: 0x0, size: 4 KiB, to: private, vcpu: 1}
      - accept: {gpa: 0x0, size: 4 KiB, page-size: 4 KiB, vcpu: 1}
      - vmcall: {request-mmio: {size: 8, direction: write, gpa: 0x0, value: 1}, vcpu: 1}
      - vmcall: {map-gpa: {gpa: 0x0, size: 4 KiB}}
      - vmcall: {registers: {r11: 48, r12: 8, r13: 1, r14: 0, r15: 1}}
      - tdx: {add: {gpa: 0x0, size: 4 KiB}}
      - tdx: {reclaim: {gpa: 0x0, size: 4 KiB}}
      - tdx: {augment: {gpa: 0x0, size: 4 KiB, page-size: 4 KiB}}
      - tdx: {block: {gpa: 0x0, page-size: 4 KiB}}
      - tdx: {unblock: {gpa: 0x0, page-size: 4 KiB}}
      - tdx: {remove: {gpa: 0x0, page-size: 4 KiB}}
      - tdx: {promote: {gpa: 0x0}}
      - tdx: {demote: {gpa: 0x0}}
      - tdx: {finalize: {}}
      - tdx: {track: {}}
      - tdx: {enter: {vcpu: 1}}
      - tdx: {leave: {vcpu: 1}}
      - tdx: {busy: {calls: 1}}
      - nx-recovery: {}
      - fetch-pages: {count: 1}
      - smm: {enter: true, vcpu: 1}
      - snapshot: a
      - restore: a
      - nested-map: {gpa: 0, to: 0, size: 4 KiB, permissions: -rwx, page-size: 4 KiB, tables-at: 0, pointer: 0x105e}
      - nested-enter: {pointer: 0x105e, vcpu: 1}
      - invept: {pointer: 0x105e, vcpu: 1}
      - invvpid: {vpid: 1, keep-globals: true, vcpu: 1}
    """

  @Test("the schema says what the decoder asks for, no more and no less")
  func schemaIsTheDecoders() throws {
    let log = DecodingLog()
    try DecodingLog.$current.withValue(log) {
      _ = try Scenarios.read(Self.everything)
      for name in try Scenarios.exampleNames() { _ = try Scenario(yaml: Scenarios.example(name)) }
    }
    for (name, object) in log.contents {
      for key in object.keys {
        #expect(object.forms[key] != nil, "nothing here uses the key \(key) of \(name)")
      }
    }
    let text = SchemaWriter(objects: log.contents).text
    if ProcessInfo.processInfo.environment["MMU_WRITE_EXPECTED"] != nil {
      try Data(text.utf8).write(to: Self.file)
    }
    #expect(try String(contentsOf: Self.file, encoding: .utf8) == text)
    _ = try JSONSerialization.jsonObject(with: Data(text.utf8))
  }
}
