public import CPrefetch
public import Paging
public import Synchronization

/// A handle on host memory: bounds-checked, entries atomic.
///
/// Copying it costs two words and no reference count. **Requires** that its `HostMemory` is alive.
@safe
@frozen
public struct HostView: EntryMemory, @unchecked Sendable {
  /// Shadow and second-level tables hold host physical addresses.
  public typealias Space = HostPhysical
  /// An address outside the reservation.
  public typealias Failure = HostMemoryError

  @usableFromInline let base: UnsafeMutableRawPointer
  /// **Units** bytes.
  public let byteCount: UInt64

  init(base: UnsafeMutableRawPointer, byteCount: UInt64) {
    unsafe self.base = unsafe base
    self.byteCount = byteCount
  }

  /// The bytes of an address range, or `nil` unless the range lies inside and is aligned.
  @inlinable
  @inline(__always)  // PERF: walk.2d.4k
  func entry(_ address: HPA, size: UInt64) -> UnsafeMutableRawPointer? {
    let offset = address.rawValue
    guard offset & (size &- 1) == 0, offset < byteCount else { return nil }
    // SAFETY: aligned and inside; the byte count is a multiple of 4096, so the whole entry is.
    return unsafe base + Int(truncatingIfNeeded: offset)
  }

  /// Reads one entry atomically (acquire).
  @inlinable
  @inline(__always)  // PERF: walk.2d.4k
  public func load<Entry: TableEntry>(
    _ address: HPA, as type: Entry.Type
  ) -> Result<Entry, HostMemoryError> {
    let size = MemoryLayout<Entry>.size
    guard let place = unsafe entry(address, size: UInt64(size)) else {
      return .failure(.outside(address))
    }
    // SAFETY: entries in mapped memory are accessed through atomics alone.
    if size == 4 {
      let value = unsafe place.assumingMemoryBound(to: Atomic<UInt32>.self).pointee
        .load(ordering: .acquiring)
      return .success(Entry(truncatingIfNeeded: UInt32(littleEndian: value)))
    }
    let value = unsafe place.assumingMemoryBound(to: Atomic<UInt64>.self).pointee
      .load(ordering: .acquiring)
    return .success(Entry(truncatingIfNeeded: UInt64(littleEndian: value)))
  }

  /// Brings an entry's line nearer.
  @inlinable
  @inline(__always)  // PERF: walk.batch16.random
  public func prefetch(_ address: HPA) {
    // SAFETY: inside the reservation; and the instruction faults on no address.
    if let place = unsafe entry(address, size: 4) { unsafe cprefetch_read(place) }
  }

  /// Replaces one entry if it holds what is expected.
  @inlinable
  public func compareExchange<Entry: TableEntry>(
    _ address: HPA, expected: Entry, desired: Entry
  ) -> Result<EntryExchange, HostMemoryError> {
    switch exchange(address, expected: expected, desired: desired) {
    case .success(let (exchanged, _)): .success(exchanged ? .stored : .lost)
    case .failure(let error): .failure(error)
    }
  }

  /// Replaces one entry if it holds what is expected, and says what it held.
  @inlinable
  public func exchange<Entry: TableEntry>(
    _ address: HPA, expected: Entry, desired: Entry
  ) -> Result<(exchanged: Bool, original: Entry), HostMemoryError> {
    let size = MemoryLayout<Entry>.size
    guard let place = unsafe entry(address, size: UInt64(size)) else {
      return .failure(.outside(address))
    }
    // SAFETY: as in `load`.
    if size == 4 {
      let result = unsafe place.assumingMemoryBound(to: Atomic<UInt32>.self).pointee
        .compareExchange(
          expected: UInt32(truncatingIfNeeded: expected).littleEndian,
          desired: UInt32(truncatingIfNeeded: desired).littleEndian,
          ordering: .acquiringAndReleasing)
      return .success(
        (result.exchanged, Entry(truncatingIfNeeded: UInt32(littleEndian: result.original))))
    }
    let result = unsafe place.assumingMemoryBound(to: Atomic<UInt64>.self).pointee
      .compareExchange(
        expected: UInt64(truncatingIfNeeded: expected).littleEndian,
        desired: UInt64(truncatingIfNeeded: desired).littleEndian,
        ordering: .acquiringAndReleasing)
    return .success(
      (result.exchanged, Entry(truncatingIfNeeded: UInt64(littleEndian: result.original))))
  }

  /// Stores one entry atomically (release).
  @inlinable
  func store(_ address: HPA, _ value: UInt64) {
    guard let place = unsafe entry(address, size: 8) else { return }
    // SAFETY: as in `load`.
    unsafe place.assumingMemoryBound(to: Atomic<UInt64>.self).pointee
      .store(value.littleEndian, ordering: .releasing)
  }

  /// Stores one entry atomically (release) and returns what it held.
  @inlinable
  public func swap(_ address: HPA, to value: UInt64) -> Result<UInt64, HostMemoryError> {
    guard let place = unsafe entry(address, size: 8) else { return .failure(.outside(address)) }
    // SAFETY: as in `load`.
    let old = unsafe place.assumingMemoryBound(to: Atomic<UInt64>.self).pointee
      .exchange(value.littleEndian, ordering: .acquiringAndReleasing)
    return .success(UInt64(littleEndian: old))
  }

  /// Whether a range lies inside.
  @inlinable
  public func contains(_ address: HPA, count: Int) -> Bool {
    let offset = address.rawValue
    return count >= 0 && offset <= byteCount && UInt64(count) <= byteCount &- offset
  }

  /// Up to 16 bytes as a little-endian number, or `nil` unless the range lies inside. An aligned
  /// power of two up to 8 is read at once.
  @inlinable
  @inline(__always)  // PERF: tlb.hit
  public func readValue(_ address: HPA, size: Int) -> UInt128? {
    if isPiece(address, size: size) { return UInt128(loadPiece(address, size: size)) }
    return readPieces(address, size: size)
  }

  @usableFromInline
  func readPieces(_ address: HPA, size: Int) -> UInt128? {
    guard (1...16).contains(size), contains(address, count: size) else { return nil }
    var value: UInt128 = 0
    var done = 0
    while done < size {
      let at = address.wrappingAdd(UInt64(done))
      let piece = Self.pieceSize(at: at, atMost: size - done)
      value |= UInt128(loadPiece(at, size: piece)) << UInt128(done * 8)
      done += piece
    }
    return value
  }

  /// Stores the low bytes of a number, little-endian; nothing unless the range lies inside. An aligned
  /// power of two up to 8 is stored at once.
  @inlinable
  @inline(__always)  // PERF: tlb.hit
  public func writeValue(_ value: UInt128, size: Int, at address: HPA) -> Bool {
    if isPiece(address, size: size) {
      storePiece(UInt64(truncatingIfNeeded: value), address, size: size)
      return true
    }
    return writePieces(value, size: size, at: address)
  }

  @usableFromInline
  func writePieces(_ value: UInt128, size: Int, at address: HPA) -> Bool {
    guard (1...16).contains(size), contains(address, count: size) else { return false }
    var done = 0
    while done < size {
      let at = address.wrappingAdd(UInt64(done))
      let piece = Self.pieceSize(at: at, atMost: size - done)
      storePiece(UInt64(truncatingIfNeeded: value >> UInt128(done * 8)), at, size: piece)
      done += piece
    }
    return true
  }

  /// Whether a range is one aligned piece inside.
  @inlinable
  @inline(__always)
  func isPiece(_ address: HPA, size: Int) -> Bool {
    // The byte count is a multiple of 4096, so an aligned piece that begins inside ends there.
    size == 8 || size == 4 || size == 2 || size == 1
      ? address.rawValue & UInt64(size &- 1) == 0 && address.rawValue < byteCount : false
  }

  /// The largest aligned power of two up to 8 at an address.
  static func pieceSize(at address: HPA, atMost limit: Int) -> Int {
    var size = 8
    while size > limit || address.rawValue & UInt64(size - 1) != 0 { size /= 2 }
    return size
  }

  // SAFETY: callers have checked the range and aligned the piece. Guest data may race, as on
  // hardware, so it is accessed through atomics without order.
  @inlinable
  @inline(__always)
  func loadPiece(_ address: HPA, size: Int) -> UInt64 {
    let place = unsafe base + Int(truncatingIfNeeded: address.rawValue)
    switch size {
    case 8:
      return UInt64(
        littleEndian: unsafe place.assumingMemoryBound(to: Atomic<UInt64>.self).pointee
          .load(ordering: .relaxed))
    case 4:
      return UInt64(
        UInt32(
          littleEndian: unsafe place.assumingMemoryBound(to: Atomic<UInt32>.self).pointee
            .load(ordering: .relaxed)))
    case 2:
      return UInt64(
        UInt16(
          littleEndian: unsafe place.assumingMemoryBound(to: Atomic<UInt16>.self).pointee
            .load(ordering: .relaxed)))
    default:
      return UInt64(
        unsafe place.assumingMemoryBound(to: Atomic<UInt8>.self).pointee.load(ordering: .relaxed))
    }
  }

  // SAFETY: as for `loadPiece`.
  @inlinable
  @inline(__always)
  func storePiece(_ value: UInt64, _ address: HPA, size: Int) {
    let place = unsafe base + Int(truncatingIfNeeded: address.rawValue)
    switch size {
    case 8:
      unsafe place.assumingMemoryBound(to: Atomic<UInt64>.self).pointee
        .store(value.littleEndian, ordering: .relaxed)
    case 4:
      unsafe place.assumingMemoryBound(to: Atomic<UInt32>.self).pointee
        .store(UInt32(truncatingIfNeeded: value).littleEndian, ordering: .relaxed)
    case 2:
      unsafe place.assumingMemoryBound(to: Atomic<UInt16>.self).pointee
        .store(UInt16(truncatingIfNeeded: value).littleEndian, ordering: .relaxed)
    default:
      unsafe place.assumingMemoryBound(to: Atomic<UInt8>.self).pointee
        .store(UInt8(truncatingIfNeeded: value), ordering: .relaxed)
    }
  }

  /// Fills a page with one entry value. **Requires** that nobody walks the page.
  @usableFromInline
  func fill(page: PFN, with value: UInt64) { fill(page: page) { _ in value } }

  /// Fills a page with entries, by their index. **Requires** that nobody walks the page.
  @inlinable
  func fill(page: PFN, _ entry: (UInt64) -> UInt64) {
    guard contains(page.baseAddress, count: 4096) else { return }
    // SAFETY: the page was checked.
    let words = unsafe (base + Int(truncatingIfNeeded: page.baseAddress.rawValue))
      .bindMemory(to: UInt64.self, capacity: 512)
    for index in 0..<512 { unsafe words[index] = entry(UInt64(index)).littleEndian }
  }
}
