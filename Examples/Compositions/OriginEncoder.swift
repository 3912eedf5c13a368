import Paging
import X86EPT

/// EPT entries that remember, in a bit that no hardware looks at, whether a write made them.
struct OriginEncoder: SPTEEncoder {
  private let base: EPTEncoder
  let layout: SPTELayout
  /// The field of its own.
  let origin: BitField

  /// - Throws: `LayoutError` where the bits belong to somebody else.
  init(_ capabilities: EPTCapabilities, bits: ClosedRange<Int> = 62...62) throws(LayoutError) {
    base = try EPTEncoder(capabilities)
    origin = BitField(
      "made by a write", bits, "the fault that made the leaf was a write", source: "software",
      whyFree: "ignored by EPT in present entries")
    layout = try base.layout.adding(
      [SPTEField(.own, in: .leaf, origin)], name: "ept-origin", legality: base.format)
  }

  var format: EPTFormat { base.format }
  var rootLevel: Level { base.rootLevel }
  var largestLeafLevel: Level { base.largestLeafLevel }

  func leaf(_ request: LeafRequest) -> SPTE {
    SPTE(base.leaf(request).rawValue | (request.isWrite ? origin.mask : 0))
  }

  func table(_ child: HPA) -> SPTE { base.table(child) }
  func root(_ table: HPA) -> TableRoot { base.root(table) }
}

/// Prints each leaf that is installed, with one of its fields.
struct LeafLog: MMUObserver {
  static var listens: Bool { true }
  let field: BitField

  func observe(_ event: MMUEvent) {
    guard case .leafInstalled(let level, let gfn, _, let new) = event else { return }
    print("  leaf of level \(level) for gfn \(gfn): \(field.value(in: new.rawValue))")
  }
}
