public import Paging

/// An MMU that tells private memory from shared memory (SPEC T6).
///
/// A frame of a slot with private memory has two pages: the one that the host shares with the guest,
/// and one that the guest has for itself. The frame's attribute says which counts.
public protocol PrivateMemoryMMU: VirtualMMU {
  /// Makes a range private, or shared. What the other kind held is nobody's afterwards.
  ///
  /// - Throws: `TDXError` where the TDX module refuses; then the frames before it are converted.
  func convert(_ range: Range<GFN>, toPrivate: Bool) throws(TDXError)

  /// The host address that the guest's own software reaches by a guest address; `nil` for none.
  func ownAddress(_ gpa: GPA, for kind: AccessKind) -> HPA?
}

/// Guest physical memory as the guest's own software sees it, private pages included.
public struct OwnMemoryView: EntryMemory {
  /// Guest tables hold guest physical addresses.
  public typealias Space = GuestPhysical
  /// Nothing that the guest can use is there.
  public typealias Failure = GuestMemoryHole

  let mmu: any PrivateMemoryMMU
  let host: HostView

  /// The view of an MMU's guest.
  public init(_ mmu: any PrivateMemoryMMU) {
    self.mmu = mmu
    host = mmu.memory.host.view
  }

  /// Reads one entry.
  public func load<Entry: TableEntry>(
    _ address: GPA, as type: Entry.Type
  ) -> Result<Entry, GuestMemoryHole> {
    guard let hpa = mmu.ownAddress(address, for: .read) else {
      return .failure(GuestMemoryHole(gpa: address))
    }
    return host.load(hpa, as: type).mapError { _ in GuestMemoryHole(gpa: address) }
  }

  /// Replaces one entry.
  public func compareExchange<Entry: TableEntry>(
    _ address: GPA, expected: Entry, desired: Entry
  ) -> Result<EntryExchange, GuestMemoryHole> {
    guard let hpa = mmu.ownAddress(address, for: .write) else {
      return .failure(GuestMemoryHole(gpa: address))
    }
    return host.compareExchange(hpa, expected: expected, desired: desired)
      .mapError { _ in GuestMemoryHole(gpa: address) }
  }

  /// Copies bytes in, page by page.
  ///
  /// - Returns: how many bytes were copied before the first hole.
  public func write(_ bytes: RawSpan, at gpa: GPA) -> Int {
    let total = bytes.byteCount
    var done = 0
    while done < total {
      guard let at = gpa.adding(UInt64(done)), let hpa = mmu.ownAddress(at, for: .write) else {
        break
      }
      let count = min(Int(4096 - at.offset(in: .size4KiB)), total - done)
      guard host.write(bytes.extracting(done..<(done + count)), at: hpa) else { break }
      done += count
    }
    return done
  }
}
