public import Paging
import Report

/// What the hypervisor inside the guest does to the second level of its guest.
public enum NestingAction: Sendable {
  /// Maps a range of the inner guest's memory.
  case map(NestedMapAction)
  /// Enters the inner guest on a pointer's tables.
  case enter(UInt64, vcpu: Int)
  /// INVEPT, of one pointer or of all.
  case invalidate(UInt64?, vcpu: Int)
  /// INVVPID, globals kept or not.
  case invalidateVPID(UInt64, keepsGlobals: Bool, vcpu: Int)

  /// The step's word.
  var name: ActionName {
    switch self {
    case .map: .nestedMap
    case .enter: .nestedEnter
    case .invalidate: .invept
    case .invalidateVPID: .invvpid
    }
  }

  /// The step, in words.
  var inWords: String {
    switch self {
    case .map(let map):
      "the hypervisor maps its guest's GPA \(map.gpa) to GPA \(map.place),"
        + " \(map.byteCount.hex) bytes in pages of \(map.pageSize), \(map.permissions)"
    case .enter(let pointer, let vcpu):
      "the hypervisor enters vCPU \(vcpu) on the tables of \(pointer.hex)"
    case .invalidate(let pointer, let vcpu):
      "INVEPT of \(pointer.map(\.hex) ?? "all pointers") on vCPU \(vcpu)"
    case .invalidateVPID(let vpid, let keepsGlobals, let vcpu):
      "INVVPID of VPID \(vpid)\(keepsGlobals ? ", globals apart," : "") on vCPU \(vcpu)"
    }
  }
}

/// Builds the hypervisor's tables for its guest.
public struct NestedMapAction: Sendable {
  /// The inner guest's first address.
  public var gpa: GPA
  /// Where it leads in the guest's memory.
  public var place: GPA
  /// **Units** bytes.
  public var byteCount: UInt64
  /// What the entries grant.
  public var permissions: Permissions
  /// The size of the pages.
  public var pageSize: PageSize
  /// Where new tables are put; `nil` to go on where the last ended.
  public var tablesAt: GPA?
  /// Whose tables; `nil` for the pointer of the machine.
  public var pointer: UInt64?
}

extension NestingAction {
  init(_ name: ActionName, _ body: YAMLValue, vcpus: VCPURange) throws(ScenarioError) {
    if name == .nestedMap {
      self = .map(try NestedMapAction(body))
      return
    }
    var map = try body.mapping(name.rawValue)
    let vcpu = try map.outerVCPU(vcpus) + (vcpus.nested ?? 0)
    switch name {
    case .nestedEnter: self = .enter(try map.need("pointer").number(), vcpu: vcpu)
    case .invept:
      let pointer = map.take("pointer")
      self = .invalidate(try pointer?.number(), vcpu: vcpu)
    default:
      let vpid = try map.need("vpid").number(0...0xFFFF)
      let keepsGlobals = try map.take("keep-globals")?.flag() ?? false
      self = .invalidateVPID(vpid, keepsGlobals: keepsGlobals, vcpu: vcpu)
    }
    try map.finish()
  }
}

extension NestedMapAction {
  init(_ body: YAMLValue) throws(ScenarioError) {
    var map = try body.mapping("nested-map")
    gpa = GPA(try map.need("gpa").number(0...(1 << 52) - 1))
    place = GPA(try map.need("to").number(0...(1 << 52) - 1))
    byteCount = try map.need("size").number(1...1 << 48)
    permissions = try Permissions(map.need("permissions"))
    pageSize =
      try map.take("page-size")?.choice([
        "4 KiB": PageSize.size4KiB, "2 MiB": .size2MiB, "1 GiB": .size1GiB,
      ]) ?? .size4KiB
    tablesAt = nil
    if let value = map.take("tables-at") {
      let address = try value.number(0...(1 << 52) - 4096)
      guard address & 0xFFF == 0 else { throw value.error("tables-at is a multiple of 4 KiB") }
      tablesAt = GPA(address)
    }
    let pointer = map.take("pointer")
    self.pointer = try pointer?.number()
    try map.finish()
    for (name, number) in [("gpa", gpa.rawValue), ("to", place.rawValue), ("size", byteCount)]
    where number & pageSize.offsetMask != 0 {
      throw body.error("\(name) is a multiple of the page size, \(pageSize)")
    }
    guard byteCount >> UInt64(pageSize.shift) <= MapAction.largestCount else {
      throw body.error("more than \(MapAction.largestCount) pages")
    }
    guard max(gpa.rawValue, place.rawValue) + byteCount <= 1 << 52 else {
      throw body.error("an address and size pass the end of the 52-bit address space")
    }
  }
}
