import ArgumentParser
import Explain
import Notation
import Paging
import X86

/// What decides a memory type and is in no image.
struct CachingOptions: ParsableArguments {
  @Option(help: "IA32_PAT (default: its value after reset).")
  var pat: Number?

  @Option(help: "The MTRRs' default type: uc, wc, wt, wp or wb.")
  var mtrr: MemoryTypeArgument = .wb

  @Option(
    help: """
      A range of the MTRRs, such as 0xc0000000+1GiB=uc; may be repeated. Where ranges overlap uc \
      wins, and wt over wb.
      """)
  var mtrrRange: [MemoryTypeRangeArgument] = []

  func validate() throws {
    if let pat, !PageAttributeTable(rawValue: pat.value).isValid {
      throw ValidationError("--pat has an entry that is no memory type (0, 1, 4, 5, 6 or 7)")
    }
  }

  var context: CachingContext {
    CachingContext(
      table: pat.map { PageAttributeTable(rawValue: $0.value) } ?? .afterReset,
      ranges: MemoryTypeRanges(defaultType: mtrr.type, ranges: mtrrRange.map(\.range)))
  }
}

/// The memory types that `--mtrr` takes.
enum MemoryTypeArgument: String, ExpressibleByArgument, CaseIterable {
  case uc, wc, wt, wp, wb

  var type: MemoryType {
    switch self {
    case .uc: .uncacheable
    case .wc: .writeCombining
    case .wt: .writeThrough
    case .wp: .writeProtected
    case .wb: .writeBack
    }
  }
}

/// `BASE+SIZE=TYPE`.
struct MemoryTypeRangeArgument: ExpressibleByArgument {
  let range: MemoryTypeRanges.Range

  init?(argument: String) {
    let halves = argument.split(separator: "=", omittingEmptySubsequences: false)
    guard halves.count == 2, let type = MemoryTypeArgument(rawValue: String(halves[1])) else {
      return nil
    }
    let place = halves[0].split(separator: "+", omittingEmptySubsequences: false)
    guard place.count == 2, let base = NumberNotation.bytes(String(place[0])),
      let size = NumberNotation.bytes(String(place[1])),
      let range = MemoryTypeRanges.Range(base: GPA(base), size: size, type: type.type)
    else { return nil }
    self.range = range
  }
}
