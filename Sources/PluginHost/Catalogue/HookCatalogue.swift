extension HookDescriptor {
  /// Every hook there is.
  public static let all: [HookDescriptor] = [
    mmioSPTEMask, spteLayout, memoryType, mappingLevel, faultPolicy, gfnAccess, prefetchWindow,
    zapPolicy, floodThreshold, nxRecovery, mmioRead, mmioWrite, onEvent,
  ]

  /// The hook of a name, or `nil`.
  public static func named(_ name: String) -> HookDescriptor? { all.first { $0.name == name } }

  static let mmioSPTEMask = HookDescriptor(
    .mmioSPTEMask, "mmio_spte_mask", asked: "once, when the MMU is composed",
    answer: "the MMIO mask, checked against the encoder's layout; the short form is value and mask"
      + " in one, with no access bits",
    returns: [named64("value", "mask", "access"), .u64],
    parameters: [
      Parameter("maxphyaddr", .u32, "physical address width of the machine, in bits"),
      Parameter("me_mask", .u64, "memory-encryption bits of an address, 0 without"),
      Parameter("encoder", .cstr, "which entries: ept, npt, tdx, shadow"),
      Parameter("default_value", .u64, "the value that counts without the plugin"),
      Parameter("default_mask", .u64, "the mask that counts without the plugin"),
      Parameter("default_access", .u64, "the access mask that counts without the plugin"),
    ])

  static let spteLayout = HookDescriptor(
    .spteLayout, "spte_layout", asked: "once, when the MMU is composed",
    answer: "the entry of nothing, the frozen entry, and the software fields as masks; checked as a"
      + " layout",
    returns: [
      named64(
        "non_present", "frozen", "mmu_present", "ad_kind", "host_writable", "mmu_writable")
    ],
    parameters: [
      Parameter("maxphyaddr", .u32, "physical address width of the machine, in bits"),
      Parameter("encoder", .cstr, "which entries: ept, npt, tdx, shadow"),
      Parameter("non_present", .u64, "the value that counts without the plugin"),
      Parameter("frozen", .u64, "the value that counts without the plugin"),
      Parameter("mmu_present", .u64, "the field's mask without the plugin"),
      Parameter("ad_kind", .u64, "the field's mask without the plugin"),
      Parameter("host_writable", .u64, "the field's mask without the plugin"),
      Parameter("mmu_writable", .u64, "the field's mask without the plugin"),
    ])

  static let memoryType = HookDescriptor(
    .memoryType, "memory_type", asked: "per new leaf",
    answer: "type 0 UC, 1 WC, 4 WT, 5 WP, 6 WB, or 0xffffffff for the default; ignore_pat 0 or 1",
    returns: [.structure([CType.Field("type", .u32), CType.Field("ignore_pat", .u32)])],
    parameters: [Parameter("gfn", .u64, "the leaf's first guest frame")])

  static let mappingLevel = HookDescriptor(
    .mappingLevel, "mapping_level", asked: "per fault",
    answer: "the largest level to map, 1 for 4 KiB to 5; lowered to what is allowed",
    returns: [.u32], parameters: faultParameters)

  static let faultPolicy = HookDescriptor(
    .faultPolicy, "fault_policy", asked: "per fault",
    answer: "0 proceed, 1 emulate, 2 inject vector with error, 3 deny, 4 exit; the short form"
      + " cannot inject",
    returns: [
      .structure([
        CType.Field("verdict", .u32), CType.Field("vector", .u32), CType.Field("error", .u32),
      ]), .u32,
    ],
    parameters: faultParameters)

  static let gfnAccess = HookDescriptor(
    .gfnAccess, "gfn_access", asked: "per new leaf",
    answer: "permissions to take away: bit 0 read, 1 write, 2 execute, 3 user", returns: [.u32],
    parameters: [Parameter("gfn", .u64, "the guest frame")])

  static let prefetchWindow = HookDescriptor(
    .prefetchWindow, "prefetch_window", asked: "per fault",
    answer: "how many neighbours to map with it, 0 to 512",
    returns: [.u32], parameters: faultParameters)

  static let zapPolicy = HookDescriptor(
    .zapPolicy, "zap_policy", asked: "when the pool of page tables is short",
    answer: "which candidate to zap, below candidate_count", returns: [.u32],
    parameters: [
      Parameter("candidate_count", .u32, "how many tables could go"),
      Parameter("gfns", .ptr, "const uint64_t[candidate_count]: the first guest frame of each"),
      Parameter("levels", .ptr, "const uint32_t[candidate_count]: the level of each"),
      Parameter("ages", .ptr, "const uint64_t[candidate_count]: faults since each was used"),
    ])

  static let floodThreshold = HookDescriptor(
    .floodThreshold, "flood_threshold", asked: "when a write hits a write-protected guest table",
    answer: "after how many such writes in a row the shadow of a table goes, 1 or more",
    returns: [.u32],
    parameters: [
      Parameter("gfn", .u64, "the frame of the guest's table"),
      Parameter("default_threshold", .u32, "the number that counts without the plugin"),
    ])

  static let nxRecovery = HookDescriptor(
    .nxRecovery, "nx_recovery", asked: "per recovery period",
    answer: "how many split pages to make large again, 0 to split_count", returns: [.u32],
    parameters: [
      Parameter("split_count", .u32, "large pages that are split for execution"),
      Parameter("default_count", .u32, "the number that counts without the plugin"),
    ])

  static let mmioRead = HookDescriptor(
    .mmioRead, "mmio_read", asked: "per MMIO read of the device's window",
    answer: "the value, no wider than size", returns: [.u64],
    parameters: [
      Parameter("gpa", .u64, "the address"),
      Parameter("offset", .u64, "the address, from the start of the window"),
      Parameter("size", .u32, "bytes: 1, 2, 4 or 8"),
      Parameter("vcpu", .u32, "which vCPU; 0 where the bus does not say"),
    ])

  static let mmioWrite = HookDescriptor(
    .mmioWrite, "mmio_write", asked: "per MMIO write to the device's window", answer: "nothing",
    returns: [.void],
    parameters: [
      Parameter("gpa", .u64, "the address"),
      Parameter("offset", .u64, "the address, from the start of the window"),
      Parameter("size", .u32, "bytes: 1, 2, 4 or 8"),
      Parameter("vcpu", .u32, "which vCPU; 0 where the bus does not say"),
      Parameter("value", .u64, "what is written"),
    ])

  static let onEvent = HookDescriptor(
    .onEvent, "on_event", asked: "per event", answer: "nothing", returns: [.void],
    parameters: [
      Parameter("event", .cstr, "the event's name, such as leaf-installed"),
      Parameter("vcpu", .u32, "which vCPU; 0 where the event does not say"),
      Parameter("address", .u64, "the address it is about, 0 without"),
      Parameter("value", .u64, "the entry or number it is about, 0 without"),
    ])

  private static var faultParameters: [Parameter] {
    [
      Parameter("gpa", .u64, "the guest physical address"),
      Parameter("gva", .u64, "the guest virtual address, 0 where unknown"),
      Parameter("has_gva", .bool, "whether it is known"),
      Parameter("access", .u32, "0 read, 1 write, 2 fetch"),
      Parameter("user", .bool, "whether the guest was in user mode"),
      Parameter("has_slot", .bool, "whether a memslot holds the address"),
      Parameter("largest_level", .u32, "the largest level allowed, 1 for 4 KiB"),
      Parameter("vcpu", .u32, "which vCPU"),
      Parameter(
        "fault",
        .structure([
          CType.Field("gpa", .u64), CType.Field("gva", .u64), CType.Field("access", .u32),
          CType.Field("flags", .u32), CType.Field("largest_level", .u32),
          CType.Field("vcpu", .u32),
        ]), "all of it; flags: bit 0 user, 1 memslot, 2 gva known"),
    ]
  }

  private static func named64(_ names: String...) -> CType {
    .structure(names.map { CType.Field($0, .u64) })
  }
}
