import Foundation
import GuestImage
import Inspection
import Notation
import Paging
import SharedData
import SystemPackage
import Testing
import X86

/// What QEMU's `info mem` said of an image, one run a line.
struct QEMUMap {
  struct Run: Decodable, Equatable {
    let start, end, size, perms: String
  }

  let runs: [Run]

  /// Reads a `.map.jsonl.gz` by way of `gzip`.
  init(_ name: String, in folder: String) throws {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["gzip", "-dc", "\(folder)/\(name).map.jsonl.gz"]
    let output = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try Data().write(to: output)
    defer { try? FileManager.default.removeItem(at: output) }
    process.standardOutput = try FileHandle(forWritingTo: output)
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    runs = try Data(contentsOf: output).split(separator: UInt8(ascii: "\n")).map {
      try JSONDecoder().decode(Run.self, from: $0)
    }
  }
}

func openSpace(_ file: String, cr3: UInt64? = nil) throws -> ImageAddressSpace {
  let path = FilePath(file)
  let sidecar = try RegisterValues(contentsOf: RegisterValues.sidecar(of: path))
  let image = try GuestImage(contentsOf: path)
  var given = RegisterValues()
  given.cr3 = cr3
  return try ImageAddressSpace(image, ImageRegisters(of: image, given: given, sidecar: sidecar))
}

@Suite("Maps of recorded guests", .enabled(if: SharedData.images != nil, "no recorded images"))
struct MapTests {
  @Test("a map is what QEMU's info mem prints, line for line", arguments: SharedData.guests)
  func mapIsQEMUs(name: String) throws {
    let folder = try #require(SharedData.images)
    let space = try openSpace("\(folder)/\(name).core")
    let map = try AddressSpaceMap<MappedRun>(of: space)
    let mode = space.registers.mode
    let digits = mode == .long4 || mode == .long5 ? 16 : 8
    func padded(_ number: String) -> String {
      String(repeating: "0", count: digits - number.count + 2) + number.dropFirst(2)
    }
    let expected = try QEMUMap(name, in: folder).runs.map {
      "\(padded($0.start))-\(padded($0.end)) \(padded($0.size)) \($0.perms)"
    }
    #expect(MappedRun.qemuLines(map.elements, mode: mode) == expected)
    #expect(map.holes == MapHoles())
  }

  @Test("pages are as many and as large as the manifest says", arguments: SharedData.guests)
  func pagesAreCounted(name: String) throws {
    let folder = try #require(SharedData.images)
    let manifest = try RootManifest.read(name, in: folder)
    let map = try AddressSpaceMap<MappedPage>(of: openSpace("\(folder)/\(name).core"))
    #expect(map.elements.count == Int(manifest.mappings.value))
    var sizes: [UInt64: Int] = [:]
    for page in map.elements { sizes[page.size.bytes, default: 0] += 1 }
    #expect(sizes.count == manifest.leafSizes.count)
    for (size, count) in manifest.leafSizes {
      #expect(sizes[UInt64(size.dropFirst(2), radix: 16) ?? 0] == Int(count.value))
    }
    var joined: [MappedRun] = []
    for page in map.elements {
      let run = MappedRun(page)
      if !joined.isEmpty, joined[joined.count - 1].absorb(run) { continue }
      joined.append(run)
    }
    #expect(
      try AddressSpaceMap<MappedRun>(of: openSpace("\(folder)/\(name).core")).elements == joined)
  }

  @Test("a limit is an error, and the same on one core and on many")
  func limitIsAnError() throws {
    let folder = try #require(SharedData.images)
    let space = try openSpace("\(folder)/linux64.core")
    #expect(throws: MapError.tooLarge(VisitBudget(tables: 1 << 20, pages: 74_715))) {
      try AddressSpaceMap<MappedRun>(of: space, limit: VisitBudget(pages: 74_715))
    }
    let exact = try AddressSpaceMap<MappedRun>(of: space, limit: VisitBudget(pages: 74_716))
    let whole = try AddressSpaceMap<MappedRun>(of: space)
    #expect(exact.elements == whole.elements)
  }

  @Test("differences to another process are what the two lists of pages differ in")
  func differencesAreExact() throws {
    let folder = try #require(SharedData.images)
    let one = try AddressSpaceMap<MappedPage>(of: openSpace("\(folder)/linux64.core")).elements
    let other = try AddressSpaceMap<MappedPage>(
      of: openSpace("\(folder)/linux64.core", cr3: 0x28EC000)
    ).elements
    #expect(MapDifference.between(one, one).isEmpty)
    var bytes: [MapDifference.Change: UInt64] = [:]
    for difference in MapDifference.between(one, other) {
      bytes[difference.change, default: 0] += difference.size
    }
    let before = Dictionary(uniqueKeysWithValues: one.map { ($0.start, $0) })
    let after = Dictionary(uniqueKeysWithValues: other.map { ($0.start, $0) })
    func total(_ pages: [MappedPage]) -> UInt64? {
      let sum = pages.reduce(0) { $0 + $1.size.bytes }
      return sum == 0 ? nil : sum
    }
    #expect(bytes[.removed] == total(one.filter { after[$0.start] == nil }))
    #expect(bytes[.added] == total(other.filter { before[$0.start] == nil }))
    let both = one.compactMap { page in after[page.start].map { (page, $0) } }
    #expect(
      bytes[.permissions] == total(both.filter { $0.0.permissions != $0.1.permissions }.map(\.0)))
    #expect(bytes[.removed] != nil)
  }
}

/// What a manifest says of maps and roots.
struct RootManifest: Decodable {
  let mode: String
  let roots: [JSONInteger]
  let rootMappings: [JSONInteger]
  let mappings: JSONInteger
  let leafSizes: [String: JSONInteger]

  static func read(_ name: String, in folder: String) throws -> RootManifest {
    try JSONInput.decode(RootManifest.self, from: SharedData.bytes("\(folder)/\(name).json"))
  }
}
