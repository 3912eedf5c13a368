import ArgumentParser
import Explain
import GuestImage
import Inspection
import Paging
import Report
import X86
import X86EPT

/// A guest inside the imaged guest.
struct NestedOptions: ParsableArguments {
  @Option(
    help: """
      The EPTP of a guest inside the guest: the registers are the inner guest's, and the image is \
      what its EPT leads to.
      """)
  var eptp: Number?

  func space(_ options: ImageOptions, _ access: AccessOptions) throws -> NestedImageSpace? {
    guard let eptp else { return nil }
    let image = try options.openImage()
    let sidecar = try options.sidecar()
    return try options.naming(options.image) { () throws(ImageError) in
      var resolved = try ImageRegisters(
        of: image, cpu: options.cpu, given: options.given, sidecar: sidecar)
      access.adjust(&resolved)
      return try NestedImageSpace(image, resolved, eptp: eptp.value)
    }
  }
}

/// An access of an inner guest, told on both levels.
struct NestedExplanation {
  let guest: Explanation
  /// EPT's answer for the page; `nil` where the guest's own walk does not arrive.
  let host: Result<Translation<HostPhysical, EPTRights>, NestedImageSpace.Failure>?

  init(_ situation: AccessSituation, in space: NestedImageSpace) {
    let explainer = Explainer(space.memory(for: situation.address)) {
      NestedImageSpace.words($0)
    }
    var situation = situation
    let told = explainer.explain(situation)
    guard case .granted(let translation) = told.outcome else {
      guest = told
      host = nil
      return
    }
    let page = space.hostPage(
      of: translation.address, for: situation.access, isUserPage: translation.rights.isUser,
      gva: situation.address)
    host = page
    guard case .success(let final) = page,
      let type = MemoryType(rawValue: UInt8(truncatingIfNeeded: final.leaf >> 3 & 7))
    else {
      guest = told
      return
    }
    situation.caching.range = .ept(type, ignoresPAT: final.leaf & 1 << 6 != 0)
    guest = explainer.explain(situation)
  }

  var json: JSONLine {
    var line = guest.json
    guard let host else {
      line.addNull("secondLevel")
      return line
    }
    var second = JSONLine()
    switch host {
    case .success(let page):
      second.add("ok", true)
      second.add("hpa", page.address)
      second.add("pageSize", hex: page.pageSize.bytes)
      second.add("level", page.level.rawValue)
    case .failure(let failure):
      if case .fault = failure { second.add("ok", false) } else { second.addNull("ok") }
      second.add("words", "the page \(NestedImageSpace.words(failure))")
    }
    line.add("secondLevel", second)
    return line
  }

  var text: [String] {
    switch host {
    case nil: guest.text
    case .success(let page):
      guest.text + ["Second level (EPT): HPA \(page.address), a \(page.pageSize) page"]
    case .failure(let failure):
      guest.text + ["Second level (EPT): the page \(NestedImageSpace.words(failure))"]
    }
  }
}
