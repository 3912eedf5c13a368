import ArgumentParser
import Explain
import Paging
import X86

/// What decides a memory type and is in no image.
struct CachingOptions: ParsableArguments {
  @Option(help: "IA32_PAT (default: its value after reset).")
  var pat: Number?

  @Option(help: "The type that the MTRRs give the page: uc, wc, wt, wp or wb.")
  var mtrr: MemoryTypeArgument = .wb

  func validate() throws {
    if let pat, !PageAttributeTable(rawValue: pat.value).isValid {
      throw ValidationError("--pat has an entry that is no memory type (0, 1, 4, 5, 6 or 7)")
    }
  }

  var context: CachingContext {
    CachingContext(
      table: pat.map { PageAttributeTable(rawValue: $0.value) } ?? .afterReset,
      range: .mtrr(mtrr.type))
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
