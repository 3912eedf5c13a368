public import Paging

/// What a guest's memory is made of, by guest address alone: where it lies in the host is worked out.
///
/// ```swift
/// let layout = GuestMemoryLayout(.ram(byteCount: 4 << 20), .readOnly(at: 0xC0_0000, byteCount: 4096))
/// ```
public struct GuestMemoryLayout: Sendable, Hashable {
  /// A slot to be.
  public struct Slot: Sendable, Hashable {
    /// The first byte.
    public var gpa: GPA
    /// **Units** bytes.
    public var byteCount: UInt64
    /// What it allows.
    public var flags: Memslot.Flags
    /// The largest page the host backs it with; its host memory is aligned to it.
    public var backing: PageSize
    /// Whether there is memory behind it.
    public var isBacked: Bool

    /// Memory that the guest may use as it likes.
    ///
    /// - Parameters:
    ///   - gpa: the first byte; a multiple of 4096.
    ///   - byteCount: **Units** bytes; a multiple of 4096.
    ///   - backing: the largest page that backs it.
    public static func ram(
      at gpa: UInt64 = 0, byteCount: UInt64, backing: PageSize = .size2MiB
    ) -> Slot {
      Slot(gpa: GPA(gpa), byteCount: byteCount, flags: [], backing: backing, isBacked: true)
    }

    /// Memory whose writes go to the MMIO bus; parameters as of `ram(at:byteCount:backing:)`.
    public static func readOnly(
      at gpa: UInt64, byteCount: UInt64, backing: PageSize = .size4KiB
    ) -> Slot {
      Slot(
        gpa: GPA(gpa), byteCount: byteCount, flags: .readOnly, backing: backing, isBacked: true)
    }

    /// A slot without memory: an access ends with an error and not on the MMIO bus.
    public static func unbacked(at gpa: UInt64, byteCount: UInt64) -> Slot {
      Slot(
        gpa: GPA(gpa), byteCount: byteCount, flags: [], backing: .size4KiB, isBacked: false)
    }
  }

  /// The most table pages in use at once. **Units** pages.
  public var tablePages: Int
  /// The slots; they get the numbers 0, 1, 2… in this order.
  public var slots: [Slot]

  /// A layout.
  ///
  /// - Parameters:
  ///   - tablePages: the most table pages in use at once; 16,384 map at least 32 GiB of 4 KiB
  ///     pages. Negative counts as 0.
  ///   - slots: what the guest has, in any order.
  public init(tablePages: Int = 16_384, _ slots: Slot...) {
    self.tablePages = max(tablePages, 0)
    self.slots = slots
  }

  /// The most host memory of one layout. **Units** bytes.
  public static var largest: UInt64 { 1 << 46 }

  /// Guest memory and the pool of its table pages.
  ///
  /// Host page 0 stays unused, table pages come next, then the slots in order.
  ///
  /// - Throws: `CompositionError` for a slot that is misaligned, overlaps another or has no place.
  public func make() throws(CompositionError) -> (memory: GuestMemory, tables: TablePool) {
    var cursor = UInt64(clamping: tablePages) &+ 1
    guard cursor < Self.largest >> 12 else { throw .tooLarge(limit: Self.largest) }
    cursor <<= 12
    var placed: [Memslot] = []
    for (id, slot) in slots.enumerated() {
      guard slot.gpa.offset(in: .size4KiB) == 0, slot.byteCount & 0xFFF == 0 else {
        throw .misaligned(slot.gpa, byteCount: slot.byteCount)
      }
      var host: HPA?
      if slot.isBacked {
        let alignment = max(slot.backing, .size4KiB).offsetMask
        let place = cursor &+ ((slot.gpa.rawValue &- cursor) & alignment)
        guard slot.byteCount < Self.largest, place &+ slot.byteCount <= Self.largest else {
          throw .tooLarge(limit: Self.largest)
        }
        host = HPA(place)
        cursor = place + slot.byteCount
      }
      placed.append(
        Memslot(
          id: id, base: slot.gpa.frame, frameCount: slot.byteCount >> 12, host: host,
          flags: slot.flags, backing: slot.backing))
    }
    do {
      let memory = GuestMemory(host: try HostMemory(byteCount: cursor))
      let table = try MemslotTable(placed)
      try memory.update { _ in table }
      return (memory, TablePool(first: PFN(1), limit: tablePages))
    } catch let error as MemslotError {
      throw .slots(error)
    } catch let error as HostMemoryError {
      throw .host(error)
    } catch {
      throw .tooLarge(limit: Self.largest)
    }
  }
}
