public import Paging

/// Which guest frames a memslot holds, what is behind them and what it allows; whoever keeps alive
/// what belongs to it.
public protocol MemslotShape {
  /// The first frame.
  var base: GFN { get }
  /// **Units** frames; at least 1.
  var frameCount: UInt64 { get }
  /// How many frames of the whole slot come before `base`, where another slot hides its beginning in
  /// one address space. **Units** frames.
  var hiddenFrames: UInt64 { get }
  /// Where its memory begins in the machine's reservation, or `nil` where nothing backs it.
  var host: HPA? { get set }
  /// Where the memory that the guest has for itself begins, or `nil` where the slot has none.
  var privateHost: HPA? { get }
  /// What it allows.
  var flags: Memslot.Flags { get set }
  /// The largest page the host backs it with.
  var backing: PageSize { get }
  /// Whether some page is not on this host yet.
  var lacksPages: Bool { get }
}

extension MemslotShape {
  /// The frame after the last. Cannot wrap: a table admits slots below 2^52 frames alone.
  @inlinable
  public var end: GFN { base.wrappingAdd(frameCount) }

  /// Whether a frame is the slot's.
  @inlinable
  public func contains(_ gfn: GFN) -> Bool { gfn >= base && gfn < end }

  /// A frame's number in the whole slot, which its log, the rings and its missing pages go by.
  @inlinable
  public func offset(of gfn: GFN) -> UInt64 { gfn.rawValue &- base.rawValue &+ hiddenFrames }

  /// The host frame behind a guest frame of the slot, or `nil` where nothing backs it.
  @inlinable
  public func pfn(of gfn: GFN) -> PFN? {
    host.map { $0.frame.wrappingAdd(gfn.rawValue &- base.rawValue) }
  }

  /// The host frame of either kind behind a guest frame of the slot.
  public func pfn(of gfn: GFN, isPrivate: Bool) -> PFN? {
    isPrivate ? privateSide?.pfn(of: gfn) : pfn(of: gfn)
  }

  /// The slot with its private memory in the place of the shared one, whose writes nobody records;
  /// `nil` where it has none.
  @inlinable
  var privateSide: Self? {
    guard let privateHost else { return nil }
    var slot = self
    slot.host = privateHost
    slot.flags.remove(.logsDirtyPages)
    return slot
  }

  /// The largest level at which a frame may be mapped: the page lies inside the slot, guest and host
  /// frame are aligned alike, the host's backing is as large, no dirty pages are logged and no page is
  /// missing (SPEC F11).
  @inlinable
  public func largestLevel(for gfn: GFN, upTo limit: Level) -> Level {
    guard backing > .size4KiB, let host, !flags.contains(.logsDirtyPages), !lacksPages else {
      return .pageTable
    }
    var level = Level.pageTable
    while level < limit {
      let size = PageSize(shift: 3 &+ 9 &* level.above.rawValue)
      let first = gfn.roundedDown(to: size)
      let isAlignedAlike =
        (base.rawValue &- host.frame.rawValue) & (size.frames &- 1) == 0
      guard size <= backing, isAlignedAlike, first >= base,
        first.wrappingAdd(size.frames) <= end
      else { break }
      level = level.above
    }
    return level
  }
}
