import Paging
import Synchronization

/// The pages of a slot that are not there until somebody needs them (post-copy migration).
///
/// A page is mapped, read and written by software only once it is there; until all are, no large page
/// is mapped. What a page holds when it comes is no write to a dirty log.
public final class MissingPages: Sendable {
  private let handler: any MissingPageHandler
  private let absent: FrameBits
  private let left: Atomic<Int>
  private let fetchedCount = Atomic<Int>(0)
  /// Pages that somebody is asking for just now.
  private let underWay = Guarded<Set<UInt64>>([])

  /// All pages of a slot are missing.
  ///
  /// - Returns: `nil` above `DirtyLog.largestFrameCount`.
  public init?(frameCount: UInt64, from handler: some MissingPageHandler) {
    guard frameCount <= DirtyLog.largestFrameCount else { return nil }
    self.handler = handler
    absent = FrameBits(frameCount: frameCount, areSet: true)
    left = Atomic(Int(frameCount))
  }

  /// Pages that are not there yet. **Units** pages.
  public var remaining: Int { left.load(ordering: .acquiring) }

  /// Pages that have come. **Units** pages.
  public var fetched: Int { fetchedCount.load(ordering: .acquiring) }

  /// Whether all pages are there.
  public var isComplete: Bool { remaining == 0 }

  /// Whether a page is not there, counted from the slot's first.
  func lacks(_ frame: UInt64) -> Bool { absent.contains(frame) }

  /// Asks for a page that is not there, or waits for whoever is asking for it.
  ///
  /// - Parameters:
  ///   - gfn: a frame of the slot.
  /// - Returns: why the page is not there now, or `nil` where it is.
  func fetch(_ gfn: GFN, of slot: Memslot, to host: HostView) -> FaultError? {
    let frame = slot.offset(of: gfn)
    while absent.contains(frame) {
      guard underWay.withLock({ $0.insert(frame).inserted }) else {
        TableWalkers.yield()
        continue
      }
      defer { _ = underWay.withLock { $0.remove(frame) } }
      // Whoever asked before may have ended between the look and the claim.
      guard absent.contains(frame) else { return nil }
      switch handler.page(gfn) {
      case .later: return .pageNotYet(gfn)
      case .failed: return .pageLost(gfn)
      case .page(let bytes):
        guard let pfn = slot.pfn(of: gfn) else { return .unbacked(gfn) }
        let span = bytes.prefix(4096)
        let padded = Array(span) + [UInt8](repeating: 0, count: 4096 - span.count)
        // SAFETY: bytes have no padding.
        guard unsafe host.write(padded.span.bytes, at: pfn.baseAddress) else {
          return .unbacked(gfn)
        }
        // Only now may others map the page.
        _ = absent.take(1 << (frame % 64), at: Int(frame / 64))
        left.subtract(1, ordering: .acquiringAndReleasing)
        fetchedCount.add(1, ordering: .acquiringAndReleasing)
      }
    }
    return nil
  }

  /// The first pages that are not there, counted from the slot's first.
  func firstMissing(_ count: Int) -> [UInt64] {
    var found: [UInt64] = []
    for (index, word) in absent.snapshot.enumerated() where word != 0 {
      for bit in 0..<64 as Range<UInt64> where word >> bit & 1 != 0 {
        guard found.count < count else { return found }
        found.append(UInt64(index) * 64 + bit)
      }
    }
    return found
  }

  /// Which pages are not there, for a snapshot.
  var snapshot: [UInt64] { absent.snapshot }

  /// Goes back to what was missing once; those pages are asked for anew.
  func restore(_ words: [UInt64]) {
    absent.replace(by: words)
    left.store(words.reduce(0) { $0 + $1.nonzeroBitCount }, ordering: .releasing)
  }
}

extension MissingPages: Hashable {
  /// Equal to itself alone.
  public static func == (left: MissingPages, right: MissingPages) -> Bool { left === right }
  /// By identity.
  public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
