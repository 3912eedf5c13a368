package import MMU
package import Machine
import MachineSupport
package import Paging
package import X86
package import X86EPT

/// A machine behind EPT with 2 MiB of guest pages mapped one to one from GVA 0x40000000.
///
/// Threads may share it: the guest's tables are written before they start.
package struct TDPBench<Encoder: SPTEEncoder>: @unchecked Sendable
where
  Encoder.Format: SecondLevelFormat, Encoder.Format.Fault: SecondLevelExit,
  Encoder.Format.Root == TableRoot
{
  package static var base: UInt64 { 0x4000_0000 }
  package static var gpa: UInt64 { 0x20_0000 }
  package let rig: TDPRig<Encoder>
  package var mmu: TDPMMU<Encoder, DefaultPolicy> { rig.mmu }

  package init(_ rig: TDPRig<Encoder>, pages: UInt64 = 512) {
    self.rig = rig
    for page in 0..<pages {
      rig.tables.map(Self.base + page << 12, to: Self.gpa + page << 12)
    }
  }

  package func frames(_ range: Range<UInt64>) -> Range<GFN> {
    GFN(Self.gpa >> 12 + range.lowerBound)..<GFN(Self.gpa >> 12 + range.upperBound)
  }

  @discardableResult
  package func access(_ kind: AccessKind, page: UInt64, value: UInt128 = 0, vcpu: Int = 0)
    -> AccessReport<X86Fault>
  {
    rig.access(kind, Self.base + page << 12 + 8, value: value, vcpu: vcpu)
  }

  package func entry(page: UInt64) -> (spte: SPTE, level: Level)? {
    rig.entry(Self.gpa + page << 12)
  }
}

package typealias EPTBench = TDPBench<EPTEncoder>

extension TDPBench where Encoder == EPTEncoder {
  package init(
    accessedDirty: Bool = true, backing: PageSize = .size4KiB, vcpus: Int = 1, pages: UInt64 = 512,
    ring: Int? = nil, mbec: Bool = false, tablePages: Int = 3000, missing: MissingPages? = nil,
    slotFlags: Memslot.Flags = [], frames: UInt64 = 4096
  ) throws {
    self.init(
      try TDPRig(
        EPTEncoder(
          EPTCapabilities(
            physicalAddressWidth: 44, accessedDirty: accessedDirty, modeBasedExecution: mbec)),
        backing: backing, tablePages: tablePages, vcpus: vcpus, ring: ring, missing: missing,
        slotFlags: slotFlags, frames: frames), pages: pages)
  }
}
