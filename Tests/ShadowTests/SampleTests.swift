import GuestImage
import MMU
import Machine
import MachineSupport
import Notation
import Paging
import SharedData
import SystemPackage
import Testing
import X86
import X86Guest
import X86Long
import X86PAE
import X86Shadow

@Suite("Recorded guests on shadow tables")
struct ShadowSampleTests {
  typealias MMUType = ShadowMMU<X86Processor, ShadowEncoder<Long5>, DefaultPolicy>

  /// A machine whose memory is an image's, 160 MiB of it.
  static func machine(
    _ name: String, in folder: String
  ) throws -> Machine<X86Processor, MMUType, NoObserver> {
    let path = FilePath("\(folder)/\(name).core")
    let image = try GuestImage(contentsOf: path)
    let sidecar = try RegisterValues(contentsOf: RegisterValues.sidecar(of: path))
    let state = try ImageRegisters(of: image, sidecar: sidecar)
    let tables: UInt64 = 8 << 20
    let memory = GuestMemory(host: try HostMemory(byteCount: tables + (160 << 20)))
    try memory.update { table throws(MemslotError) in
      try table.adding(
        Memslot(
          id: 0, base: GFN(0), frameCount: (160 << 20) >> 12, host: HPA(tables),
          backing: .size2MiB))
    }
    for segment in image.segments {
      image.withFileBytes(of: segment) { bytes in
        _ = memory.view.write(bytes.extracting(0..<bytes.byteCount), at: segment.gpa)
      }
    }
    let width = state.features.physicalAddressWidth
    let host = X86Registers(
      cr0: [.protectionEnable, .paging, .writeProtect],
      cr4: [.physicalAddressExtension, .linearAddress57],
      efer: [.longModeEnable, .longModeActive, .noExecuteEnable])
    let encoder = try ShadowEncoder(
      Long5(host, X86Features(physicalAddressWidth: width)), rootLevel: Level(5),
      physicalAddressWidth: width, mmio: .shadow(physicalAddressWidth: width))
    let mmu = MMUType(
      encoder: encoder, policy: DefaultPolicy(), memory: memory,
      pool: TablePool(first: PFN(1), limit: 2000))
    let processor = try X86Processor.load(
      state.registers, state.features, in: memory.view, .acceptingAccessedBit
    ).get().processor
    return try Machine(guests: [processor], mmu: mmu)
  }

  @Test(
    "issue 5 every sample has the GPA and rights of the direct walk through guest, shadow and host",
    .enabled(if: SharedData.images != nil, "the recorded images are not here"),
    arguments: SharedData.guests)
  func everySampleIsRight(name: String) throws {
    let folder = try #require(SharedData.images)
    let manifest = try Manifest.read(name, in: folder)
    let machine = try Self.machine(name, in: folder)
    var seen = (mapped: 0, refused: 0, mmio: 0)
    for sample in manifest.samples {
      let gva = GVA(sample.va.value)
      for user in [false, true] {
        for kind in [AccessKind.read, .fetch, .write] {
          let access = X86Access(kind, user: user)
          let guest = machine.vcpus[0].guest
          let direct = guest.translate(gva, for: access, in: machine.memory.view, Judge())
          // Writes of one byte, of what is there: the image stays as it is but for A and D.
          let byte = sample.pa.map { machine.memory.view.read(GPA($0.value), count: 1) }
          let report = machine.vcpu(
            0, access: access, at: gva, size: 1, value: UInt128(byte?.first ?? 0))
          switch (direct, report.outcome) {
          case (.success(let found), .done):
            seen.mapped += 1
            #expect(report.gpa == found.address)
            #expect(report.gpa?.rawValue == sample.pa?.value, "\(gva)")
            let hpa = machine.memory.hpa(of: found.address)
            #expect(report.hpa == hpa, "\(gva)")
            if hpa == nil { seen.mmio += 1 }
          case (.failure(.fault(let fault)), .injected(let vector, let code)):
            seen.refused += 1
            #expect(vector == fault.vector && code == fault.errorCode.rawValue, "\(gva) \(kind)")
          case (.failure(.fault(let fault)), .fault(let own)):
            seen.refused += 1
            #expect(own == fault, "\(gva) \(kind)")
          default: Issue.record("\(gva) \(kind): \(direct) and \(report.outcome)")
          }
        }
      }
    }
    #expect(manifest.samples.count == 645)
    #expect(seen.mapped > 520, "each mapped sample can at least be read by the kernel or the user")
    #expect(seen.refused > 125 * 6 / 2)
    #expect(machine.mmu.audit() == [])
    // Everything again from the TLB and the shadow: no exit but for refused accesses and MMIO.
    let before = machine.counters.fixed
    for sample in manifest.samples where sample.pa != nil {
      _ = machine.vcpu(0, access: X86Access(.read), at: GVA(sample.va.value), size: 1)
    }
    #expect(machine.counters.fixed == before)
  }
}
