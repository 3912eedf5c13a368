public import Paging

/// Guest physical memory as software sees it, through memslots and not through the second level.
public struct GuestView: EntryMemory {
  /// Guest tables hold guest physical addresses.
  public typealias Space = GuestPhysical
  /// No slot, or nothing behind it.
  public typealias Failure = GuestMemoryHole

  @usableFromInline let slots: MemslotTable
  @usableFromInline let host: HostView
  let tracker: (any WriteTracker)?
  /// The index of the slot to look at first.
  @usableFromInline let hint: Int
  /// Whether a page that is missing is asked for.
  let asksForPages: Bool

  @usableFromInline
  init(
    slots: MemslotTable, host: HostView, tracker: (any WriteTracker)?, hint: Int = 0,
    asksForPages: Bool = true
  ) {
    self.slots = slots
    self.host = host
    self.tracker = tracker
    self.hint = hint
    self.asksForPages = asksForPages
  }

  /// Reads one entry.
  @inlinable  // PERF: fault.shadow
  public func load<Entry: TableEntry>(
    _ address: GPA, as type: Entry.Type
  ) -> Result<Entry, GuestMemoryHole> {
    guard let hpa = hpa(of: address), case .success(let entry) = host.load(hpa, as: type) else {
      return .failure(GuestMemoryHole(gpa: address))
    }
    return .success(entry)
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
    slot.activeLog?.mark(slot.offset(of: gpa.frame))
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

  /// Where an address is behind its slot; `nil` where its page is not there.
  @inlinable
  func hpa(of gpa: GPA) -> HPA? {
    var hint = hint
    guard let slot = slots.plain.slot(for: gpa.frame, hint: &hint),
      let pfn = slot.pfn(of: gpa.frame),
      !slot.mayLackPages || isThere(gpa.frame, of: slots.slots[hint])
    else { return nil }
    return pfn.baseAddress.wrappingAdd(gpa.offset(in: .size4KiB))
  }

  private func resolve(_ gpa: GPA) -> (HPA, Memslot)? {
    var hint = hint
    guard let hpa = hpa(of: gpa), let slot = slots.slot(for: gpa.frame, hint: &hint) else {
      return nil
    }
    return (hpa, slot)
  }

  /// Whether a page that may be missing is there, or comes.
  @usableFromInline
  func isThere(_ gfn: GFN, of slot: Memslot) -> Bool {
    guard let missing = slot.missing, missing.lacks(slot.offset(of: gfn)) else {
      return true
    }
    return asksForPages && missing.fetch(gfn, of: slot, to: host) == nil
  }
}
