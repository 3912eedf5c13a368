import MMU
import Machine
import Paging
import Report
import X86

extension MachineSpec {
  /// The most entries of one TLB.
  static var largestTLB: UInt64 { 1 << 16 }
  /// The most entries of all vCPUs' TLBs; they are allocated at once.
  static var largestTLBs: Int { 1 << 20 }
  /// The most vCPUs.
  static var largestVCPUCount: UInt64 { 64 }
  /// The most slots and devices of a file; each is added to a sorted table.
  static var largestRegionCount: Int { 4096 }

  init(_ value: YAMLValue) throws(ScenarioError) {
    var map = try value.mapping("machine")
    line = value.line
    guest = try map.need("guest").choice([
      "from-image": Guest.fromImage, "none": .mode(.none), "legacy32": .mode(.legacy32),
      "pae": .mode(.pae), "long4": .mode(.long4), "long5": .mode(.long5),
    ])
    mmu = try map.need("mmu").choice(of: MMUKind.self)
    layout = try map.take("layout")?.choice(of: NamedLayout.self) ?? .standard
    physicalAddressWidth = try map.take("maxphyaddr")?.number(32...52).asInt
    features = nil
    if let list = try map.take("features")?.list() {
      var names: Set<String> = []
      for item in list {
        names.insert(try item.choice(FeatureNames.all))
      }
      features = names
    }
    exceptionAreas = []
    let areas = map.take("ve-areas")
    for item in try areas?.list() ?? [] { exceptionAreas.append(try item.page()) }
    registers = try map.take("registers").map { value throws(ScenarioError) in
      try Registers(value)
    }
    vcpuCount = try map.take("vcpus")?.number(1...Self.largestVCPUCount).asInt ?? 1
    nested = try map.take("nested").map { value throws(ScenarioError) in try Nested(value) }
    if let nested, mmu != .ept, mmu != .npt {
      throw ScenarioError(
        line: nested.line, "a guest inside the guest needs a second level: mmu ept or npt")
    }
    if let nested, !nested.exceptionAreas.isEmpty {
      guard mmu == .ept, nested.exceptionAreas.count == vcpuCount else {
        throw ScenarioError(
          line: nested.line,
          "ve-areas of a guest inside the guest need mmu: ept and one for each vCPU")
      }
    }
    let tlbCount = vcpuCount * (nested == nil ? 1 : 2)
    tlb = nil
    if let value = map.take("tlb") {
      var shape = try value.mapping("tlb")
      let entries = try shape.need("entries").number(1...Self.largestTLB).asInt
      let ways = try shape.need("ways").number(1...255).asInt
      try shape.finish()
      guard let geometry = TLBGeometry(entries: entries, ways: ways) else {
        throw value.error(
          "a TLB of \(entries) entries in \(ways) ways (entries / ways is a power of two)")
      }
      guard entries * tlbCount <= Self.largestTLBs else {
        throw value.error(
          "\(tlbCount) TLBs of \(entries) entries (at most \(Self.largestTLBs) entries together)")
      }
      tlb = geometry
    }
    if let areas {
      guard exceptionAreas.count == vcpuCount else {
        throw areas.error(
          "\(exceptionAreas.count) ve-areas for \(vcpuCount) vCPUs (one for each)")
      }
      guard mmu == .ept, features?.contains("ve") != false else {
        throw areas.error("ve-areas need mmu: ept and the feature ve")
      }
    } else if features?.contains("ve") == true {
      throw ScenarioError(line: line, "the feature ve needs ve-areas, a page for each vCPU")
    }
    nxHugePages = false
    if let value = map.take("nx-huge-pages") {
      nxHugePages = try value.flag()
      guard !nxHugePages || mmu == .ept || mmu == .npt else {
        throw value.error("nx-huge-pages needs a second level (ept, npt)")
      }
      guard !nxHugePages || mmu != .npt || features?.contains("nx") ?? true else {
        throw value.error("nx-huge-pages under npt needs the feature nx")
      }
    }
    memory = []
    let regions = try map.need("memory")
    for item in try regions.list() {
      guard memory.count < Self.largestRegionCount else {
        throw item.error("more than \(Self.largestRegionCount) slots and devices")
      }
      memory.append(try Region(item))
    }
    if let region = memory.first(where: \.isSystemManagement), mmu == .tdx {
      throw ScenarioError(line: region.line, "a trust domain has no smm")
    }
    tablePageLimit = 16_384
    keepsTables = false
    if let value = map.take("tables") {
      var tables = try value.mapping("tables")
      tablePageLimit = try tables.take("page-limit")?.number(1...1 << 22).asInt ?? tablePageLimit
      keepsTables =
        try tables.take("in-snapshots")?.choice(["rebuilt": false, "kept": true]) ?? false
      try tables.finish()
    }
    mmioGenerations = MMIOGenerations()
    if let value = map.take("mmio-generations") {
      var drill = try value.mapping("mmio-generations")
      mmioGenerations.bits = try drill.need("bits").number(1...18).asInt
      mmioGenerations.zapsAtWrap = try drill.take("zap-at-wrap")?.flag() ?? true
      try drill.finish()
    }
    findsStaleTranslations = try map.take("stale-translations")?.flag() ?? false
    shadow = ShadowOptions()
    if let value = map.take("shadow") {
      guard mmu == .shadow else { throw value.error("'shadow' is for 'mmu: shadow'") }
      shadow = try ShadowOptions(value)
    }
    try map.finish()
    try checkOverlaps()
    for region in memory { try region.check(behind: mmu) }
  }
}

extension MachineSpec {
  /// Refuses slots and devices that hold one address.
  private func checkOverlaps() throws(ScenarioError) {
    // What system-management mode alone sees may hide others, as SMRAM hides a display and memory.
    try checkOverlaps(among: memory.filter { !$0.isSystemManagement })
    try checkOverlaps(among: memory.filter(\.isSystemManagement))
  }

  private func checkOverlaps(among regions: [Region]) throws(ScenarioError) {
    let sorted = regions.sorted { ($0.gpa, $0.line) < ($1.gpa, $1.line) }
    for (lower, upper) in zip(sorted, sorted.dropFirst())
    where upper.gpa.rawValue < lower.gpa.rawValue + lower.byteCount {
      let (first, second) = lower.line <= upper.line ? (lower, upper) : (upper, lower)
      throw ScenarioError(
        line: second.line,
        "\(second.gpa) and \(second.byteCount.hex) bytes overlap the region of line \(first.line)")
    }
  }
}

extension MachineSpec.Nested {
  init(_ value: YAMLValue) throws(ScenarioError) {
    var map = try value.mapping("nested")
    line = value.line
    mode = try map.need("guest").choice([
      "none": X86Mode.none, "legacy32": .legacy32, "long4": .long4, "long5": .long5,
    ])
    pointer = try map.need("pointer").number()
    cr3 = try map.take("cr3")?.number(0...(1 << 52) - 1) ?? 0x1000
    exceptionAreas = []
    for item in try map.take("ve-areas")?.list() ?? [] { exceptionAreas.append(try item.page()) }
    try map.finish()
  }
}

extension ShadowOptions {
  init(_ value: YAMLValue) throws(ScenarioError) {
    self.init()
    var map = try value.mapping("shadow")
    floodPolicy = try map.take("flood")?.choice(of: FloodPolicy.self) ?? floodPolicy
    allowsUnsync = try map.take("unsync")?.flag() ?? allowsUnsync
    prefetchWindow = try map.take("prefetch")?.number(1...512).asInt ?? prefetchWindow
    try map.finish()
  }
}

extension MachineSpec.Registers {
  init(_ value: YAMLValue) throws(ScenarioError) {
    var map = try value.mapping("registers")
    line = value.line
    cr0 = try map.take("cr0")?.number()
    cr3 = try map.take("cr3")?.number()
    cr4 = try map.take("cr4")?.number()
    efer = try map.take("efer")?.number()
    pkru = try map.take("pkru")?.number(0...0xFFFF_FFFF).asUInt32
    try map.finish()
  }
}

extension MachineSpec.Region {
  /// The most memory a slot has. **Units** bytes.
  static var largest: UInt64 { 1 << 46 }

  init(_ value: YAMLValue) throws(ScenarioError) {
    line = value.line
    var map = try value.mapping("memory")
    gpa = GPA(try map.need("gpa").number(0...(1 << 52) - 4096))
    byteCount = try map.need("size").number(1...Self.largest)
    guard gpa.rawValue & 0xFFF == 0, byteCount & 0xFFF == 0 else {
      throw value.error("gpa and size are multiples of 4 KiB")
    }
    content = .ram
    if let image = map.take("image") {
      content = .image(try image.string())
    } else if let plugin = map.take("plugin") {
      content = .pluginDevice(try plugin.string())
    } else if let device = map.take("device") {
      content = try device.choice([
        "ram": Content.ram, "none": .none, "uart": .device(.uart), "scratch": .device(.scratch),
      ])
    }
    guard gpa.rawValue + byteCount <= 1 << 52 else {
      throw value.error("the region passes the end of the 52-bit address space")
    }
    isReadOnly = try map.take("readonly")?.flag() ?? false
    isPrivate = try map.take("private")?.flag() ?? false
    raisesExceptions = try map.take("ve")?.flag() ?? false
    backing =
      try map.take("hugepages")?.choice([
        "4 KiB": PageSize.size4KiB, "2 MiB": .size2MiB, "1 GiB": .size1GiB,
      ]) ?? .size4KiB
    isSystemManagement = try map.take("smm")?.flag() ?? false
    isPostCopy = try map.take("post-copy")?.flag() ?? false
    let pages = map.take("backing")
    hostPages = try pages?.choice(of: MachineSpec.HostPages.self)
    try map.finish()
    if let pages, let hostPages {
      guard content != .none, !content.isDevice else {
        throw pages.error("'backing' is for ram and images")
      }
      if hostPages != .anonymous { try check(hostPages, at: pages) }
    }
    guard !isSystemManagement || !content.isDevice else {
      throw value.error("a device is no memory of system-management mode")
    }
    if isPostCopy {
      guard case .image = content, !isPrivate else {
        throw value.error("post-copy needs an image, and memory that is not private")
      }
      guard byteCount <= 1 << 40 else { throw value.error("post-copy of more than 1 TiB") }
    }
    if content.isDevice || content == .none || isReadOnly, isPrivate {
      throw value.error("private memory is ram or an image that may be written")
    }
    if content.isDevice, raisesExceptions {
      throw value.error("a device has no pages whose violations could be a #VE")
    }
    if case .device = content, isReadOnly || backing != .size4KiB {
      throw value.error("a device is neither read-only nor in huge pages")
    }
  }
}

extension MachineSpec.Region {
  /// Refuses what the host cannot put behind a region.
  private func check(
    _ hostPages: MachineSpec.HostPages, at value: YAMLValue
  ) throws(ScenarioError) {
    let name = hostPages.rawValue
    if hostPages == .file {
      guard case .image = content, backing == .size4KiB, !isPostCopy else {
        throw value.error("backing: file needs an image, without hugepages and post-copy")
      }
      return
    }
    guard hostPages == .hugetlb ? backing > .size4KiB : backing == .size2MiB else {
      throw value.error(
        "backing: \(name) needs hugepages: 2 MiB\(hostPages == .hugetlb ? " or 1 GiB" : "")")
    }
    guard gpa.rawValue & backing.offsetMask == 0, byteCount & backing.offsetMask == 0 else {
      throw value.error("backing: \(name) needs a gpa and a size that are multiples of \(backing)")
    }
  }

  /// Refuses what the MMU cannot do for a region.
  func check(behind mmu: MachineSpec.MMUKind) throws(ScenarioError) {
    if isPrivate, mmu == .shadow {
      throw ScenarioError(line: line, "private memory needs mmu: ept, npt or tdx")
    }
    if isPrivate, mmu != .tdx, content != .ram {
      throw ScenarioError(line: line, "the private memory of an image needs mmu: tdx")
    }
    if raisesExceptions, mmu != .ept {
      throw ScenarioError(line: line, "pages whose violations are a #VE need mmu: ept")
    }
  }
}

/// The features a scenario may list.
enum FeatureNames {
  static var all: KeyValuePairs<String, String> {
    [
      "nx": "nx", "pse": "pse", "pse36": "pse36", "gbpages": "gbpages", "la57": "la57",
      "smep": "smep", "smap": "smap", "pcid": "pcid", "pku": "pku", "pks": "pks", "lam": "lam",
      "lass": "lass", "cet": "cet", "ad": "ad",
      "ve": "ve",
    ]
  }
}

extension UInt64 {
  /// The number as an `Int`. **Requires** that a range check made it small.
  var asInt: Int { Int(truncatingIfNeeded: self) }
  /// The number as a `UInt32`. **Requires** that a range check made it small.
  var asUInt32: UInt32 { UInt32(truncatingIfNeeded: self) }
}
