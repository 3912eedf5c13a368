public import MMU
public import Paging

/// A machine as it was at one moment: memory, memslots, dirty logs, registers, devices and, as wanted,
/// the tables that hardware walks.
///
/// What the machine counts is no part of it. **Not modelled** the state of devices that do not say how
/// to keep it (`leftOut`), and what has left the machine, such as a serial port's output.
public struct MachineSnapshot<Guest: TranslationRegime, MMU: VirtualMMU>: Sendable
where Guest.Input == GuestVirtual, Guest.Access: MemoryAccess {
  /// What becomes of the tables that hardware walks.
  public enum Tables: String, Sendable, Hashable, CaseIterable {
    /// They are dropped on a restore and built again, fault by fault.
    case rebuilt
    /// They are put back as they were. Where the MMU cannot (shadow paging; while writes are logged)
    /// they are rebuilt all the same.
    case kept
  }

  /// One vCPU's part.
  struct VCPUPart: Sendable {
    let guest: Guest
    let faultAddress: GVA?
    let interrupted: Guest?
    let space: AddressSpace
  }

  /// Memory, memslots and dirty logs.
  public let memory: GuestMemorySnapshot
  let vcpus: [VCPUPart]
  let tables: MMU.SavedTables?
  let devices: [MMIOBus.SavedDevice]
  /// The devices that keep the state they have when the snapshot is restored, by name.
  public let leftOut: [String]

  /// Whether the tables are put back.
  public var keepsTables: Bool { tables != nil }
}
