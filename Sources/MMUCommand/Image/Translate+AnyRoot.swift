import ArgumentParser
import GuestImage
import Inspection
import Paging
import Report
import X86

extension Translate {
  /// Translates through the roots that memory shows; an address that none maps gets the best root's
  /// answer.
  func runAnyRoot() throws {
    let image = try options.openImage()
    var spaces: [(root: RootCandidate, space: ImageAddressSpace)] = []
    for root in RootFinder(image).findShowingProgress() {
      if let mode = options.mode?.mode, mode != root.mode { continue }
      guard let space = try? root.addressSpace(in: image, isStrict: options.strict) else {
        continue
      }
      spaces.append((root, space))
    }
    guard let best = spaces.first else {
      throw FileFailure(options.image, "no page-table root was found")
    }
    var output = StandardOutput()
    var isAllMapped = true
    let judged = access.judged
    for address in try AddressArgument.resolve(addresses) {
      let answer =
        spaces.first { pair in
          if case .success = pair.space.outcome(address, judged) { true } else { false }
        } ?? best
      let line = TranslationLine(
        address, in: answer.space, judged, root: (answer.root.root, answer.root.mode))
      isAllMapped = isAllMapped && line.isMapped
      if json { try output.write(line.json) } else { try output.write(line.text) }
    }
    try output.flush()
    if allMapped, !isAllMapped { throw ExitCode(1) }
  }
}

extension ImageAddressSpace {
  /// The translation, judged where an access is given.
  func outcome(_ address: GVA, _ judged: X86Access?) -> TranslationLine.Outcome {
    if let judged { return translate(address, for: judged, Judge()) }
    return translate(address, Probe())
  }
}
