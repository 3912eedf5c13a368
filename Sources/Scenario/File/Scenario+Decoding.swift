import Paging
import X86

extension Scenario {
  /// Reads a scenario file.
  ///
  /// - Throws: `ScenarioError` with the line, what is wrong and what is allowed. Nothing is done
  ///   before the whole file has been read.
  public init(yaml bytes: [UInt8]) throws(ScenarioError) {
    var root = try YAMLDocument.read(bytes).mapping()
    _ = try root.need("scenario").choice(["1": 1])
    name = try root.take("name")?.string() ?? ""
    machine = try MachineSpec(root.need("machine"))
    plugins = []
    for item in try root.take("plugins")?.list() ?? [] { plugins.append(try PluginSpec(item)) }
    steps = []
    for item in try root.need("steps").list() {
      steps.append(try Step(item, vcpus: machine.vcpuCount))
    }
    try root.finish()
  }
}

extension MachineSpec {
  init(_ value: YAMLValue) throws(ScenarioError) {
    var map = try value.mapping()
    guest = try map.need("guest").choice([
      "from-image": Guest.fromImage, "none": .mode(.none), "legacy32": .mode(.legacy32),
      "pae": .mode(.pae), "long4": .mode(.long4), "long5": .mode(.long5),
    ])
    mmu = try map.need("mmu").choice(["ept": MMUKind.ept, "shadow": .shadow])
    physicalAddressWidth = try map.take("maxphyaddr")?.number(32...52).asInt
    features = nil
    if let list = try map.take("features")?.list() {
      var names: Set<String> = []
      for item in list {
        names.insert(try item.choice(FeatureNames.all))
      }
      features = names
    }
    registers =
      try map.take("registers").map { value throws(ScenarioError) in
        try Registers(value)
      } ?? Registers()
    vcpuCount = try map.take("vcpus")?.number(1...64).asInt ?? 1
    tlb = nil
    if let value = map.take("tlb") {
      var shape = try value.mapping()
      tlb = (
        try shape.need("entries").number(1...1 << 20).asInt,
        try shape.need("ways").number(1...1 << 20).asInt
      )
      try shape.finish()
    }
    memory = []
    for item in try map.need("memory").list() { memory.append(try Region(item)) }
    tablePageLimit = 16_384
    if let value = map.take("tables") {
      var tables = try value.mapping()
      tablePageLimit = try tables.take("page-limit")?.number(1...1 << 22).asInt ?? tablePageLimit
      try tables.finish()
    }
    try map.finish()
  }
}

extension MachineSpec.Registers {
  init(_ value: YAMLValue) throws(ScenarioError) {
    var map = try value.mapping()
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
    var map = try value.mapping()
    gpa = GPA(try map.need("gpa").number(0...(1 << 52) - 4096))
    byteCount = try map.need("size").number(1...Self.largest)
    guard gpa.rawValue & 0xFFF == 0, byteCount & 0xFFF == 0 else {
      throw value.error("gpa and size are multiples of 4 KiB")
    }
    content = .ram
    if let image = map.take("image") {
      content = .image(try image.string())
    } else if let device = map.take("device") {
      content = try device.choice([
        "ram": Content.ram, "none": .none, "uart": .device(.uart), "scratch": .device(.scratch),
      ])
    }
    isReadOnly = try map.take("readonly")?.flag() ?? false
    backing =
      try map.take("hugepages")?.choice([
        "4 KiB": PageSize.size4KiB, "2 MiB": .size2MiB, "1 GiB": .size1GiB,
      ]) ?? .size4KiB
    try map.finish()
  }
}

extension PluginSpec {
  init(_ value: YAMLValue) throws(ScenarioError) {
    line = value.line
    var map = try value.mapping()
    path = try map.need("path").string()
    hooks = nil
    if let list = try map.take("hooks")?.list() {
      var names: [String] = []
      for item in list { names.append(try item.string()) }
      hooks = names
    }
    settings = []
    if let given = try map.take("settings")?.mapping() {
      for (key, value) in given.pairs { settings.append((key, try value.string())) }
    }
    bindings = []
    if let given = try map.take("bind")?.mapping() {
      for (hook, value) in given.pairs {
        var binding = try value.mapping()
        bindings.append(
          Binding(
            hook: hook, symbol: try binding.need("symbol").string(),
            signature: try binding.need("signature").string()))
        try binding.finish()
      }
    }
    try map.finish()
  }
}

/// The features a scenario may list.
enum FeatureNames {
  static var all: KeyValuePairs<String, String> {
    [
      "nx": "nx", "pse": "pse", "pse36": "pse36", "gbpages": "gbpages", "la57": "la57",
      "smep": "smep", "smap": "smap", "pcid": "pcid", "pku": "pku", "pks": "pks", "lam": "lam",
      "lass": "lass", "cet": "cet", "ad": "ad",
    ]
  }
}

extension UInt64 {
  /// The number as an `Int`. **Requires** that a range check made it small.
  var asInt: Int { Int(truncatingIfNeeded: self) }
  /// The number as a `UInt32`. **Requires** that a range check made it small.
  var asUInt32: UInt32 { UInt32(truncatingIfNeeded: self) }
}
