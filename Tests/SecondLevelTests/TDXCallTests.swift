import MMU
import Machine
import MachineSupport
import Paging
import ParallelProperty
import TestSupport
import Testing
import X86
import X86TDX

/// A device of 8 bytes that keeps what is written.
private final class Latch: MMIODevice {
  private let bytes = Guarded([UInt8](repeating: 0, count: 4096))
  let name = "latch"

  func read(offset: UInt64, size: Int) -> UInt64 {
    bytes.withLock { bytes in
      (0..<size).reversed().reduce(0) { $0 << 8 | UInt64(bytes[Int(offset) + $1]) }
    }
  }

  func write(_ value: UInt64, offset: UInt64, size: Int) {
    bytes.withLock { bytes in
      for index in 0..<size {
        bytes[Int(offset) + index] = UInt8(truncatingIfNeeded: value >> UInt64(index * 8))
      }
    }
  }
}

@Suite("What a trust domain's guest does about #VE")
struct TDXCallTests {
  private static let device: UInt64 = 0xFEE0_0000
  private static let sharedDevice = device | Domain.shared

  private static func domain(backing: PageSize = .size4KiB) throws -> Domain {
    let domain = try Domain(backing: backing)
    #expect(domain.machine.bus.attach(Latch(), at: GPA(device), byteCount: 4096))
    return domain
  }

  private static func call(
    _ domain: Domain, _ r11: UInt64, _ r12: UInt64 = 0, _ r13: UInt64 = 0, _ r14: UInt64 = 0,
    _ r15: UInt64 = 0
  ) throws -> TDVMCallAnswer {
    try domain.machine.vcpu(
      0, calls: TDVMCall(r11: r11, r12: r12, r13: r13, r14: r14, r15: r15))
  }

  @Test("E16 #VE.RequestMMIO reads and writes 1, 2, 4 and 8 bytes of a device, one TD exit each")
  func requests() throws {
    let domain = try Self.domain()
    let before = domain.machine.vcpus[0].exits[.tdxExit]
    for (index, size) in ([1, 2, 4, 8] as [UInt64]).enumerated() {
      let address = Self.sharedDevice + UInt64(index) * 8
      let value = 0x1122_3344_5566_7788 as UInt64
      #expect(try Self.call(domain, 48, size, 1, address, value).status == .success)
      let answer = try Self.call(domain, 48, size, 0, address)
      #expect(answer.status == .success)
      #expect(answer.value == value & (.max >> (64 - size * 8)))
      #expect(answer.mmio?.device == "latch")
      // The host does not insist on the shared bit.
      #expect(try Self.call(domain, 48, size, 0, address & ~Domain.shared).value == answer.value)
    }
    #expect(domain.machine.vcpus[0].exits[.tdxExit] == before + 12)
    let unclaimed = try Self.call(domain, 48, 4, 0, Self.sharedDevice + 0x1_0000)
    #expect(unclaimed.status == .success && unclaimed.value == 0xFFFF_FFFF)
  }

  static let badRequests: [[UInt64]] = [
    // Sizes and directions that the interface does not have.
    [48, 0, 0, sharedDevice], [48, 3, 0, sharedDevice], [48, 16, 0, sharedDevice],
    [48, .max, 0, sharedDevice], [48, 8, 2, sharedDevice], [48, 8, .max, sharedDevice],
    // Across two pages, beyond the address width, and memory instead of a device.
    [48, 8, 0, sharedDevice + 0xFFC], [48, 8, 0, 1 << 48], [48, 8, 0, .max],
    [48, 8, 0, 0x20_0000 | Domain.shared], [48, 8, 1, 0x20_0000],
  ]

  @Test("E16 #VE.RequestMMIO refuses operands that are out of range", arguments: badRequests)
  func invalidRequests(registers: [UInt64]) throws {
    let domain = try Self.domain()
    let answer = try Self.call(domain, registers[0], registers[1], registers[2], registers[3])
    #expect(answer.status == .invalidOperand && answer.mmio == nil)
    #expect(domain.mmu.audit() == [])
  }

  @Test("E16 an unknown sub-function is refused by its own status")
  func unknown() throws {
    #expect(try Self.call(Self.domain(), 0x10003).status == .subfunctionUnsupported)
  }

  @Test(
    "E16 T6 MapGPA: by the shared bit of the start; misaligned, empty, wrapping and mixed ranges")
  func mapGPA() throws {
    let domain = try Self.domain()
    let shared = 0x20_1000 | Domain.shared
    #expect(try Self.call(domain, 0x10001, shared, 4096).status == .success)
    #expect(domain.access(.write, Domain.sharedBase + 0x1000, value: 9).value == 9)
    #expect(try Self.call(domain, 0x10001, 0x20_1000, 4096).status == .success)
    #expect(Domain.isVE(domain.access(.read, Domain.privateBase + 0x1000)))
    for (start, count, status) in [
      (shared + 8, 4096, .alignError), (shared, 4095, .alignError), (shared, 0, .invalidOperand),
      (shared, UInt64.max & ~0xFFF, .invalidOperand), (1 << 48, 4096, .invalidOperand),
      (Domain.shared - 4096, 8192, .invalidOperand),
    ] as [(UInt64, UInt64, TDVMCallStatus)] {
      let answer = try Self.call(domain, 0x10001, start, count)
      #expect(answer.status == status && answer.value == start, "\(start), \(count)")
    }
    domain.module.makeBusy(calls: 1_000_000)
    let busy = try Self.call(domain, 0x10001, shared, 4096)
    #expect(busy.status == .retry && busy.value == shared)
    domain.module.makeBusy(calls: 0)
    #expect(domain.mmu.audit() == [])
  }

  @Test("E16 the handler asks the host for devices and accepts private pages, small and large")
  func handler() throws {
    let domain = try Self.domain(backing: .size2MiB)
    func access(
      _ kind: AccessKind, _ gva: UInt64, size: Int = 8, value: UInt128 = 0
    ) -> HandledAccess<X86Fault> {
      domain.machine.vcpu(
        0, handledAccess: X86Access(kind), at: GVA(gva), size: size, value: value)
    }
    let written = access(.write, Domain.hole + 0x10, size: 4, value: 0xABCD)
    #expect(written.report.value == 0xABCD && written.report.mmio?.device == "latch")
    #expect(written.calls.count == 1)
    let read = access(.read, Domain.hole + 0x10, size: 2)
    #expect(read.report.value == 0xABCD && read.report.gpa == GPA(Self.sharedDevice + 0x10))
    // The host adds a large page: the small acceptance is of the wrong size.
    let first = access(.write, Domain.privateBase + 0x3008, value: 5)
    #expect(first.report.value == 5)
    #expect(
      first.calls == [
        .accept(GPA(0x20_3000), .pageTable, .pageSizeMismatch),
        .accept(GPA(0x20_0000), .directory, .success),
      ])
    #expect(access(.read, Domain.privateBase + 0x3008).calls == [])
    // One page of it was shared and is private again: it alone is accepted.
    try domain.mmu.convert(domain.frames(3..<4), toPrivate: false)
    try domain.mmu.convert(domain.frames(3..<4), toPrivate: true)
    let again = access(.read, Domain.privateBase + 0x3008)
    #expect(again.report.value == 0)
    #expect(again.calls == [.accept(GPA(0x20_3000), .pageTable, .success)])
    #expect(domain.mmu.audit() == [])
  }

  @Test(
    "E16 a device is not fetched from, not across two pages, not in 3 or 16 bytes: the #VE stays")
  func hopeless() throws {
    let domain = try Self.domain()
    for (kind, offset, size) in [
      (.fetch, 0, 1), (.read, 0, 3), (.read, 0, 16), (.write, 0xFFC, 4 + 4),
    ] as [(AccessKind, UInt64, Int)] {
      let handled = domain.machine.vcpu(
        0, handledAccess: X86Access(kind), at: GVA(Domain.hole + offset), size: size, value: 1)
      #expect(Domain.isVE(handled.report) || handled.report.fault != nil, "\(kind) \(offset)")
      #expect(handled.report.mmio == nil)
    }
  }

  @Test("E16 a private access to a shared frame stops the vCPU: the handler is not even asked")
  func sharedFrame() throws {
    let domain = try Self.domain()
    try domain.mmu.convert(domain.frames(2..<3), toPrivate: false)
    let handled = domain.machine.vcpu(
      0, handledAccess: X86Access(.read), at: GVA(Domain.privateBase + 0x2000), size: 8)
    #expect(handled.report.failure == .memoryFault(GPA(0x20_2000), isPrivate: true))
    #expect(handled.calls == [])
  }
}
