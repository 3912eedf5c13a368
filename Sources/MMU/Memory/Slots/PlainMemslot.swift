public import Paging

/// A memslot as the fault path hands it on: plain numbers and no reference count, which vCPUs would
/// fight over. **Requires** that the table it comes from is alive.
@safe
@usableFromInline
struct PlainMemslot: MemslotShape, @unchecked Sendable {
  @usableFromInline let id: Int
  @usableFromInline let base: GFN
  @usableFromInline let frameCount: UInt64
  @usableFromInline let hiddenFrames: UInt64
  @usableFromInline var host: HPA?
  @usableFromInline let privateHost: HPA?
  @usableFromInline var flags: Memslot.Flags
  @usableFromInline let backing: PageSize
  /// How writes are found once `flags` ask for it.
  @usableFromInline let method: DirtyMethod?
  /// Whether it is one of those that pages may be missing of.
  @usableFromInline let mayLackPages: Bool
  @usableFromInline let log: Unmanaged<DirtyLog>?
  @usableFromInline let missing: Unmanaged<MissingPages>?

  @usableFromInline
  init(_ slot: Memslot) {
    id = slot.id
    base = slot.base
    frameCount = slot.frameCount
    hiddenFrames = slot.hiddenFrames
    host = slot.host
    privateHost = slot.privateHost
    flags = slot.flags
    backing = slot.backing
    method = slot.dirtyLog?.method
    mayLackPages = slot.missing != nil
    unsafe log = slot.dirtyLog.map { unsafe .passUnretained($0) }
    unsafe missing = slot.missing.map { unsafe .passUnretained($0) }
  }

  /// How writes are found, where they are recorded now.
  @inlinable
  var activeMethod: DirtyMethod? { flags.contains(.logsDirtyPages) ? method : nil }

  @inlinable
  var lacksPages: Bool { mayLackPages && isIncomplete }

  @usableFromInline
  var isIncomplete: Bool {
    // SAFETY: the table keeps its slots, and what they refer to, alive.
    unsafe missing?._withUnsafeGuaranteedRef { !$0.isComplete } ?? false
  }

  /// Records a write to frames counted from the slot's first: in a vCPU's ring where rings are used
  /// and it has room, else in the bitmap.
  @usableFromInline
  func markDirty(_ first: UInt64, count: UInt64, by ring: DirtyRing?) {
    // SAFETY: as above.
    unsafe log?._withUnsafeGuaranteedRef { log in
      log.markDirty(first, count: count, slot: id, by: ring)
    }
  }

  /// Records a write to a frame in the bitmap, while writes are recorded.
  @inlinable
  func logWrite(of gfn: GFN) {
    if flags.contains(.logsDirtyPages) {
      markDirty(offset(of: gfn), count: 1, by: nil)
    }
  }
}
