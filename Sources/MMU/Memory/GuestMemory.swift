public import Paging
import Synchronization

/// Guest physical memory: host memory, the memslots that show it to the guest, and their generation.
///
/// Readers take a whole `MemslotTable`; a change publishes a new one and a new generation. While a
/// change is under way the generation carries a flag, and no MMIO entry is used or made (SPEC F2).
public final class GuestMemory: Sendable {
  /// The reservation.
  public let host: HostMemory
  /// Which frames are private.
  public let attributes = MemoryAttributes()
  private let current: Guarded<MemslotTable>
  private let generationWord: Atomic<UInt64>
  /// Held for a whole update, so that updates come one after another.
  private let updating = Guarded(())
  private let tracker = Guarded<(any WriteTracker)?>(nil)

  /// Bit 63 of the generation: an update is in progress.
  public static let updateInProgress: UInt64 = 1 << 63

  /// Guest memory without slots.
  public init(host: HostMemory, generation: UInt64 = 1) {
    self.host = host
    current = Guarded(.empty)
    generationWord = Atomic(generation & ~Self.updateInProgress)
  }

  /// The generation now, with the flag.
  public var generation: UInt64 { generationWord.load(ordering: .acquiring) }

  /// The slots now.
  public var slots: MemslotTable { current.withLock { $0 } }

  /// Changes the slots as one step. Updates wait for one another, so neither closure may update.
  ///
  /// - Parameters:
  ///   - change: makes the new table of the old.
  ///   - invalidate: called between publication and the end of the update, to drop what tables held
  ///     of the old slots; gets the new generation.
  /// - Throws: what `change` throws; then nothing happened, but the generation moved on.
  public func update(
    _ change: (MemslotTable) throws(MemslotError) -> MemslotTable,
    invalidate: (UInt64) -> Void = { _ in }
  ) throws(MemslotError) {
    try updating.withLock { _ throws(MemslotError) in
      generationWord.bitwiseOr(Self.updateInProgress, ordering: .acquiringAndReleasing)
      let next = (generation & ~Self.updateInProgress &+ 1) & ~Self.updateInProgress
      defer { generationWord.store(next, ordering: .releasing) }
      let table = try change(slots)
      current.withLock { $0 = table }
      invalidate(next)
    }
  }

  /// Puts a table of before in force.
  ///
  /// - Parameter generation: the generation of then; `nil` for one that was never used.
  func put(back table: MemslotTable, generation: UInt64?) {
    updating.withLock { _ in
      let next = (self.generation &+ 1) & ~Self.updateInProgress
      current.withLock { $0 = table }
      generationWord.store(generation ?? next, ordering: .releasing)
    }
  }
}

extension GuestMemory {
  /// The host address of a guest address, or `nil` where no backed slot holds it.
  public func hpa(of gpa: GPA) -> HPA? {
    var hint = 0
    return slots.slot(for: gpa.frame, hint: &hint)?.pfn(of: gpa.frame).map {
      $0.baseAddress.wrappingAdd(gpa.offset(in: .size4KiB))
    }
  }

  /// A handle for walks by software: guest tables read through the slots of this moment.
  public var view: GuestView {
    GuestView(slots: slots, host: host.view, tracker: tracker.withLock { $0 })
  }

  /// A view whose writes nobody hears of: for the tracker itself.
  @usableFromInline
  var untrackedView: GuestView { GuestView(slots: slots, host: host.view, tracker: nil) }

  /// Has every write through views from now on told to an MMU that shadows tables. The memory does
  /// not keep it alive.
  public func track(by tracker: some WriteTracker) {
    self.tracker.withLock { $0 = tracker }
  }
}

/// Hears of writes to guest memory that no vCPU makes: a debugger's, a device's, a tool's.
public protocol WriteTracker: Sendable {
  /// Bytes of guest memory were written.
  func memoryWritten(_ gpa: GPA, byteCount: Int)
}

/// Guest physical memory as software sees it, through memslots and not through the second level.
public struct GuestView: EntryMemory {
  /// Guest tables hold guest physical addresses.
  public typealias Space = GuestPhysical
  /// No slot, or nothing behind it.
  public typealias Failure = GuestMemoryHole

  let slots: MemslotTable
  let host: HostView
  let tracker: (any WriteTracker)?

  /// Reads one entry.
  @_specialize(where Entry == UInt32)
  @_specialize(where Entry == UInt64)  // PERF: access.mmio.cached
  public func load<Entry: TableEntry>(
    _ address: GPA, as type: Entry.Type
  ) -> Result<Entry, GuestMemoryHole> {
    guard let (hpa, _) = resolve(address) else { return .failure(GuestMemoryHole(gpa: address)) }
    return host.load(hpa, as: type).mapError { _ in GuestMemoryHole(gpa: address) }
  }

  /// Replaces one entry; a read-only slot keeps it.
  @_specialize(where Entry == UInt32)
  @_specialize(where Entry == UInt64)
  public func compareExchange<Entry: TableEntry>(
    _ address: GPA, expected: Entry, desired: Entry
  ) -> Result<EntryExchange, GuestMemoryHole> {
    guard let (hpa, slot) = resolve(address) else {
      return .failure(GuestMemoryHole(gpa: address))
    }
    if slot.flags.contains(.readOnly) { return .success(.readOnly) }
    let result = host.compareExchange(hpa, expected: expected, desired: desired)
    if case .success(.stored) = result {
      Self.markDirty(address, in: slot)
      tracker?.memoryWritten(address, byteCount: MemoryLayout<Entry>.size)
    }
    return result.mapError { _ in GuestMemoryHole(gpa: address) }
  }

  /// Records a write that passes no table.
  private static func markDirty(_ gpa: GPA, in slot: Memslot) {
    slot.activeLog?.mark(gpa.frame.rawValue &- slot.base.rawValue)
  }

  /// The bytes from an address up to `count`, or up to the first hole.
  public func read(_ gpa: GPA, count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      guard let at = gpa.adding(UInt64(bytes.count)), let (hpa, _) = resolve(at) else { break }
      let room = Int(4096 - at.offset(in: .size4KiB))
      guard let part = host.read(hpa, count: min(room, count - bytes.count)) else { break }
      bytes += part
    }
    return bytes
  }

  /// Copies bytes in, page by page, read-only slots included.
  ///
  /// - Returns: how many bytes were copied before the first hole.
  public func write(_ bytes: RawSpan, at gpa: GPA) -> Int {
    let total = bytes.byteCount
    var done = 0
    while done < total {
      guard let at = gpa.adding(UInt64(done)), let (hpa, slot) = resolve(at) else { break }
      let room = Int(4096 - at.offset(in: .size4KiB))
      let count = min(room, total - done)
      guard host.write(bytes.extracting(done..<(done + count)), at: hpa) else { break }
      Self.markDirty(at, in: slot)
      tracker?.memoryWritten(at, byteCount: count)
      done += count
    }
    return done
  }

  /// Whether every byte of a range lies in a backed slot that may be written.
  public func isWritable(_ gpa: GPA, count: Int) -> Bool {
    guard count > 0 else { return count == 0 }
    guard let last = gpa.adding(UInt64(count - 1)) else { return false }
    var frame = gpa.frame
    while frame <= last.frame {
      guard let (_, slot) = resolve(frame.baseAddress), !slot.flags.contains(.readOnly) else {
        return false
      }
      frame = frame.wrappingAdd(1)
    }
    return true
  }

  private func resolve(_ gpa: GPA) -> (HPA, Memslot)? {
    var hint = 0
    guard let slot = slots.slot(for: gpa.frame, hint: &hint), let pfn = slot.pfn(of: gpa.frame)
    else { return nil }
    return (pfn.baseAddress.wrappingAdd(gpa.offset(in: .size4KiB)), slot)
  }
}

/// A guest physical address that no backed memslot holds.
public struct GuestMemoryHole: Error, Sendable, Hashable {
  /// The address.
  public let gpa: GPA
}
