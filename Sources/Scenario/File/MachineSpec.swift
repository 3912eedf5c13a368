public import MMU
public import Machine
public import Paging
public import X86

/// How the machine is composed.
public struct MachineSpec: Sendable {
  /// Where the guest's mode and registers come from.
  public enum Guest: Sendable, Hashable {
    /// Empty tables of a mode, built by `map`.
    case mode(X86Mode)
    /// The mode and registers of the image.
    case fromImage
  }

  /// What the hardware walks.
  public enum MMUKind: String, Sendable, CaseIterable {
    /// Extended page tables.
    case ept
    /// Nested page tables.
    case npt
    /// Extended page tables for shared memory, the TDX module's for private memory.
    case tdx
    /// Shadow page tables.
    case shadow
  }

  /// A memslot, or a device on the bus.
  public struct Region: Sendable {
    /// What is there.
    public enum Content: Sendable, Hashable {
      /// Zeroed memory.
      case ram
      /// The memory of an image file; holes are zeros.
      case image(String)
      /// A built-in device.
      case device(DeviceKind)
      /// The device of a plugin, by the plugin's name.
      case pluginDevice(String)
      /// A slot that nothing backs.
      case none

      /// Whether it is on the bus and not a slot.
      var isDevice: Bool {
        switch self {
        case .device, .pluginDevice: true
        case .ram, .image, .none: false
        }
      }
    }

    /// The line of the region.
    public var line: Int
    /// The first byte.
    public var gpa: GPA
    /// **Units** bytes.
    public var byteCount: UInt64
    /// What is there.
    public var content: Content
    /// Whether the guest's writes become MMIO.
    public var isReadOnly: Bool
    /// Whether the guest has memory of its own behind it, private at first.
    public var isPrivate: Bool
    /// Whether violations of its mapped pages become #VE.
    public var raisesExceptions: Bool
    /// The largest page that backs it.
    public var backing: PageSize
    /// What the host puts behind it, or `nil` where the file leaves that open.
    public var hostPages: HostPages?
    /// Whether system-management mode alone sees it.
    public var isSystemManagement: Bool
    /// Whether its pages come from the image one by one, when somebody needs them.
    public var isPostCopy: Bool

    /// Whether the pages of an image's file are to be mapped: a huge page cannot be of a file, and what
    /// comes page by page is not there yet.
    var mapsFile: Bool {
      hostPages == .file || hostPages == nil && backing == .size4KiB && !isPostCopy
    }

    /// The frames.
    var frames: Range<GFN> { gpa.frame..<gpa.frame.wrappingAdd(byteCount >> 12) }
  }

  /// What the host puts behind a slot.
  public enum HostPages: String, Sendable, CaseIterable {
    /// Pages of its own, which an image is copied to; how large they are is the file's word.
    case anonymous
    /// Those of the image's file, copy-on-write.
    case file
    /// Huge pages that the host keeps in store.
    case hugetlb
    /// Huge pages that the host puts together as it can.
    case transparent
  }

  /// The devices that need no plugin.
  public enum DeviceKind: String, Sendable, CaseIterable {
    /// A serial port that prints what is written to it.
    case uart
    /// Registers that keep what is written to them.
    case scratch
  }

  /// Registers that the file sets; others follow from the mode and the features.
  public struct Registers: Sendable {
    /// The line of the registers.
    public var line: Int
    /// As written, or `nil`.
    public var cr0, cr3, cr4, efer: UInt64?
    /// As written, or `nil`.
    public var pkru: UInt32?
  }

  /// A guest inside the guest, one on each vCPU, which the guest is the hypervisor of.
  public struct Nested: Sendable {
    /// The line of the nested guest.
    public var line: Int
    /// Its mode; its tables are built by `map`.
    public var mode: X86Mode
    /// The EPTP or nested CR3 that it runs on first.
    public var pointer: UInt64
    /// Its CR3, in its own memory.
    public var cr3: UInt64
    /// Where each of its vCPUs gets told of a #VE, in the hypervisor's memory; none for exits alone.
    public var exceptionAreas: [GPA]
  }

  /// The line of the machine.
  public var line: Int
  /// The guest.
  public var guest: Guest
  /// What the hardware walks.
  public var mmu: MMUKind
  /// The layout of the entries that hardware walks.
  public var layout: NamedLayout
  /// MAXPHYADDR, or `nil` for the image's, else 40.
  public var physicalAddressWidth: Int?
  /// The features that the file lists, or `nil` for all.
  public var features: Set<String>?
  /// Registers that the file sets.
  public var registers: Registers?
  /// The guest inside the guest, if any.
  public var nested: Nested?
  /// How many vCPUs the guest has.
  public var vcpuCount: Int
  /// The TLB's shape, or `nil` for the usual one.
  public var tlb: TLBGeometry?
  /// Where the processor writes what a #VE is about, vCPU by vCPU; none take #VE where it is empty.
  public var exceptionAreas: [GPA]
  /// Slots and devices.
  public var memory: [Region]
  /// Whether the machine has system-management mode: a slot that it alone sees.
  public var hasSystemManagement: Bool { memory.contains(where: \.isSystemManagement) }
  /// Whether large pages of the second level may not be executed.
  public var nxHugePages: Bool
  /// The most table pages.
  public var tablePageLimit: Int
  /// How MMIO entries tell generations apart; anything but the default is a drill.
  public var mmioGenerations: MMIOGenerations
  /// How a shadow MMU goes about it.
  public var shadow: ShadowOptions
  /// Whether snapshots keep the tables.
  public var keepsTables: Bool
  /// Whether every translation is checked before it is used, and stale ones are told.
  public var findsStaleTranslations: Bool

  /// The vCPUs of the guest and of the one inside it, which come after.
  var allVCPUs: Int { vcpuCount * (nested == nil ? 1 : 2) }
}
