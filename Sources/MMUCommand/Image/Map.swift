import ArgumentParser
import GuestImage
import Inspection
import Paging
import Report
import SystemPackage
import X86

/// `mmu map IMAGE`: what an address space maps.
struct Map: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lists every mapping of an address space, runs of equal permissions joined.",
    discussion: """
      --format qemu prints what QEMU's info mem prints. --diff prints where another image's \
      address space differs: added, removed, permissions (others), moved (to another physical \
      address).

      Examples:
        mmu map guest.core --pages --json
        diff <(mmu map guest.core --format qemu) info-mem.txt
      """)

  /// How the map is printed.
  enum Format: String, ExpressibleByArgument, CaseIterable {
    case text, json, qemu
  }

  @OptionGroup var options: ImageOptions

  @Flag(help: "One line a page, not joined.")
  var pages = false

  @Option(help: "How to print.")
  var format = Format.text

  @Flag(help: "The same as --format json.")
  var json = false

  @Option(help: "Print the differences to this image, read with its own registers and sidecar.")
  var diff: String?

  @Option(help: "CR3 in the image that --diff names.")
  var diffCr3: Number?

  @Option(help: "List at most this many pages.")
  var limit: Number?

  func validate() throws {
    if json, format == .qemu {
      throw ValidationError("--json and --format qemu exclude each other")
    }
    if format == .qemu, pages || diff != nil {
      throw ValidationError("--format qemu prints joined runs of one image")
    }
    if pages, diff != nil { throw ValidationError("--diff prints ranges, not pages") }
    if diffCr3 != nil, diff == nil { throw ValidationError("--diff-cr3 belongs to --diff") }
    if let limit = limit?.value, !(1...Self.largestLimit).contains(limit) {
      throw ValidationError("--limit is \(limit) (1...\(Self.largestLimit))")
    }
  }

  private static var largestLimit: UInt64 { 1 << 32 }
  private var isJSON: Bool { json || format == .json }

  func run() throws {
    let space = try options.openAddressSpace()
    var output = StandardOutput()
    if let diff {
      let other = try options.openAddressSpace(beside: diff, cr3: diffCr3?.value)
      let differences = MapDifference.between(
        try list(MappedPage.self, of: space, options.image).elements,
        try list(MappedPage.self, of: other, diff).elements)
      try write(differences, to: &output) { isJSON ? $0.line.utf8 : Array($0.text.utf8) }
    } else if pages {
      let map = try list(MappedPage.self, of: space, options.image)
      try write(map.elements, to: &output) { isJSON ? $0.line.utf8 : Array($0.text.utf8) }
    } else {
      let map = try list(MappedRun.self, of: space, options.image)
      if format == .qemu {
        for line in MappedRun.qemuLines(map.elements, mode: space.registers.mode) {
          try output.write(line)
        }
      } else {
        try write(map.elements, to: &output) { isJSON ? $0.line.utf8 : Array($0.text.utf8) }
      }
    }
    try output.flush()
  }

  private func list<Element: MapElement>(
    _ element: Element.Type, of space: ImageAddressSpace, _ name: String
  ) throws -> AddressSpaceMap<Element> {
    var budget = VisitBudget(pages: 1 << 24)
    if let limit { budget.pages = Int(limit.value) }
    let map: AddressSpaceMap<Element>
    do {
      map = try AddressSpaceMap<Element>(of: space, limit: budget)
    } catch {
      throw FileFailure(name, error)
    }
    if space.regime == nil {
      StandardError.write("mmu: note: the page-directory pointers are not in the image")
    } else if space.registers.mode == .none {
      StandardError.write("mmu: note: paging is off: addresses are physical ones")
    }
    let holes = map.holes
    if let first = holes.firstUnreadable {
      StandardError.write(
        "mmu: note: \(holes.unreadableTables) tables are not in the image"
          + " (the first entry at GPA \(first)); what they map is not listed")
    }
    if holes.malformedEntries > 0 {
      StandardError.write(
        "mmu: note: \(holes.malformedEntries) entries have reserved bits set and map nothing")
    }
    return map
  }

  /// Formats on all cores, writes in order.
  private func write<Element: Sendable>(
    _ elements: [Element], to output: inout StandardOutput,
    _ bytes: @Sendable (Element) -> [UInt8]
  ) throws {
    // A piece at a time, so that a list of millions needs no second one as text.
    for piece in Parallel.ranges(elements.count, pieces: elements.count / 65_536 + 1) {
      let slices = Parallel.ranges(
        piece.count, pieces: piece.count < 4096 ? 1 : Parallel.width * 2)
      for text in Parallel.map(
        slices.count,
        { slice in
          var text: [UInt8] = []
          for index in slices[slice] {
            text += bytes(elements[piece.lowerBound + index])
            text.append(UInt8(ascii: "\n"))
          }
          return text
        })
      {
        try output.write(piece: text)
      }
    }
  }
}
