import MMU
import Paging
import TestSupport
import X86TDX

/// Changes a trust domain whose vCPUs run: its private memory, and the shared pages of the same frames.
///
/// It alone blocks, tracks and converts, so that of each call it is known how it may end.
struct DomainDisturber {
  let domain: Domain
  let history: ConversionHistory
  private var random: SeededGenerator
  /// How often each change was made.
  private(set) var changes: [DomainChange: Int] = [:]

  private var mmu: Domain.MMUType { domain.mmu }

  init(_ domain: Domain, _ history: ConversionHistory, seed: UInt64) {
    self.domain = domain
    self.history = history
    random = SeededGenerator(seed: seed)
  }

  /// Makes one change; nothing where the entry that it picked is in no state for it.
  mutating func change(_ progress: Stress.Progress) throws {
    domain.module.makeBusy(calls: random.below(4))
    let first = random.flip() ? random.next() % 4 : random.next() % Stress.pages
    let pages = first..<min(first + 1 + random.next() % 8, Stress.pages)
    let change = random.pick(DomainChange.allCases)
    switch change {
    case .toShared:
      try convert(pages, toPrivate: false, progress)
      scribbleOverPrivate(first, progress)
    case .toPrivate: try convert(pages, toPrivate: true, progress)
    case .allAnew:
      try convert(0..<512, toPrivate: true, progress)
      try mmu.reclaim(domain.frames(0..<512))
    case .reclaim: try mmu.reclaim(domain.frames(pages))
    case .removePage:
      guard let (gfn, level) = try blockLeaf(first, progress) else { return }
      try mmu.track()
      try mmu.remove(gfn, level)
    case .unblock:
      guard let (gfn, level) = try blockLeaf(first, progress) else { return }
      try mmu.track()
      try mmu.unblock(gfn, level)
    case .demote:
      guard let (gfn, level) = try blockLeaf(first, progress) else { return }
      try mmu.track()
      try level > .pageTable ? mmu.demote(gfn, level) : mmu.unblock(gfn, level)
    case .promote: guard try promote() else { return }
    case .augment:
      try allowing([.eptEntryNotFree, .pageSizeMismatch]) { () throws(TDXError) in
        try mmu.augment(domain.frames(pages).lowerBound)
      }
    case .unmapShared: unmapShared(pages, progress)
    case .zapShared: mmu.shared.zap(domain.frames(pages))
    case .invalidateAll: mmu.invalidateAll()
    }
    changes[change, default: 0] += 1
  }

  private func convert(
    _ pages: Range<UInt64>, toPrivate: Bool, _ progress: Stress.Progress
  ) throws(TDXError) {
    let start = progress.histories.now
    try mmu.convert(domain.frames(pages), toPrivate: toPrivate)
    history.add(
      .init(toPrivate: toPrivate, start: start, end: progress.histories.now), of: pages)
  }

  /// The private page of a frame that is shared is the host's: nobody else touches it, and what the host
  /// leaves there must not be found by a guest that accepts the page again.
  private func scribbleOverPrivate(_ page: UInt64, _ progress: Stress.Progress) {
    let gfn = domain.frames(page..<page + 1).lowerBound
    var hint = 0
    guard let pfn = domain.memory.slots.slot(for: gfn, hint: &hint)?.pfn(of: gfn, isPrivate: true)
    else { return progress.note("frame \(gfn) has no private page") }
    if !domain.memory.host.view.scribble(at: pfn.baseAddress, restoring: false) {
      progress.note("frame \(gfn) was written as a private one while it was shared")
    }
  }

  private func unmapShared(_ pages: Range<UInt64>, _ progress: Stress.Progress) {
    let range = domain.frames(pages)
    guard let place = domain.memory.hpa(of: range.lowerBound.baseAddress) else {
      return progress.note("frame \(range.lowerBound) has no shared page")
    }
    _ = mmu.unmapHost(range) {
      if !domain.memory.host.view.scribble(at: place, restoring: true) {
        progress.note("shared frame \(range.lowerBound) was written while the host held it")
      }
    }
  }

  /// Blocks the leaf that covers a page; before the track nobody may remove it.
  ///
  /// - Returns: the entry, or `nil` where there is no leaf.
  private func blockLeaf(
    _ page: UInt64, _ progress: Stress.Progress
  ) throws -> (gfn: GFN, level: Level)? {
    let frames = domain.frames(page..<page + 1)
    let large = domain.frames(0..<1).lowerBound
    let isLarge = domain.module.entry(large, .directory).state.isLeaf
    let place: (gfn: GFN, level: Level) =
      isLarge ? (large, .directory) : (frames.lowerBound, .pageTable)
    let isBlocked = try allowing([.eptEntryFree, .eptWalkFailed, .pageSizeMismatch]) {
      () throws(TDXError) in try mmu.block(place.gfn, place.level)
    }
    guard isBlocked else { return nil }
    let isRemoved = try allowing([.tlbTrackingNotDone]) { () throws(TDXError) in
      try mmu.remove(place.gfn, place.level)
    }
    if isRemoved { progress.note("\(place) was removed without a track") }
    return place
  }

  /// Makes the small pages one large page, where all are there.
  private func promote() throws -> Bool {
    let first = domain.frames(0..<1).lowerBound
    guard domain.module.entry(first, .directory).state == .nonLeafMapped else { return false }
    try mmu.block(first, .directory)
    try mmu.track()
    let isPromoted = try allowing([.eptInvalidPromoteConditions]) { () throws(TDXError) in
      try mmu.promote(first, .directory)
    }
    if !isPromoted { try mmu.unblock(first, .directory) }
    return isPromoted
  }

  /// Makes a call that the module may refuse with some statuses, and the MMU because a frame is shared.
  ///
  /// - Returns: whether it was made.
  @discardableResult
  private func allowing(
    _ statuses: Set<TDXStatus>, _ call: () throws(TDXError) -> Void
  ) throws(TDXError) -> Bool {
    do throws(TDXError) {
      try call()
      return true
    } catch .shared {
      return false
    } catch .module(let status) where statuses.contains(status) {
      return false
    }
  }
}
