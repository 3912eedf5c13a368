public import Paging

/// Builds guest tables.
public struct MapAction: Sendable {
  /// The first address.
  public var va: GVA
  /// Where it leads.
  public var gpa: GPA
  /// **Units** bytes.
  public var byteCount: UInt64
  /// What the entries grant.
  public var permissions: Permissions
  /// The size of the pages.
  public var pageSize: PageSize
  /// Where new tables are put, one page after the other; `nil` to go on where the last `map` ended.
  public var tablesAt: GPA?
  /// Whose tables.
  public var vcpu: Int

  /// The most pages one step maps.
  public static var largestCount: UInt64 { 1 << 22 }
}

extension MapAction {
  init(_ body: YAMLValue, vcpus: VCPURange) throws(ScenarioError) {
    var map = try body.mapping("map")
    va = GVA(try map.need("va").number())
    gpa = GPA(try map.need("gpa").number(0...(1 << 52) - 1))
    byteCount = try map.need("size").number(1...1 << 48)
    permissions = try Permissions(map.need("permissions"))
    pageSize =
      try map.take("page-size")?.choice([
        "4 KiB": PageSize.size4KiB, "2 MiB": .size2MiB, "4 MiB": .size4MiB, "1 GiB": .size1GiB,
      ]) ?? .size4KiB
    tablesAt = try map.take("tables-at").map { value throws(ScenarioError) in
      GPA(try value.number(0...(1 << 52) - 1))
    }
    vcpu = try map.vcpu(vcpus)
    try map.finish()
    for (name, number) in [("va", va.rawValue), ("gpa", gpa.rawValue), ("size", byteCount)]
    where number & pageSize.offsetMask != 0 {
      throw body.error("\(name) is a multiple of the page size, \(pageSize)")
    }
    guard byteCount >> UInt64(pageSize.shift) <= Self.largestCount else {
      throw body.error("more than \(Self.largestCount) pages")
    }
    guard gpa.rawValue + byteCount <= 1 << 52 else {
      throw body.error("gpa and size pass the end of the 52-bit address space")
    }
    if let tablesAt, tablesAt.rawValue & 0xFFF != 0 {
      throw body.error("tables-at is a multiple of 4 KiB")
    }
  }
}

extension Permissions {
  /// Four characters, each its letter or `-`: `urwx`.
  init(_ value: YAMLValue) throws(ScenarioError) {
    let text = try value.string()
    let letters: [(Character, Permissions)] = [
      ("u", .user), ("r", .read), ("w", .write), ("x", .execute),
    ]
    var result: Permissions = []
    let isWellFormed =
      text.count == 4
      && zip(text, letters).allSatisfy { character, letter in
        if character == letter.0 { result.insert(letter.1) }
        return character == letter.0 || character == "-"
      }
    guard isWellFormed else {
      throw value.error("permissions are four characters such as urw- or -r-x")
    }
    self = result
  }
}
