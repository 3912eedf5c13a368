public import Paging
import X86
import X86Guest

/// A part of a virtual range that lies within one page.
public struct VirtualPiece: Hashable, Sendable {
  /// Its first address.
  public let gva: GVA
  /// **Units** bytes; never 0.
  public let count: UInt64
  /// Where its bytes are, all of which the image holds; or why they cannot be read.
  public let place: Result<GPA, VirtualHole>
}

extension ImageAddressSpace {
  /// The beginning of a range, as far as it lies in one page and the image holds it all, or none.
  ///
  /// - Parameters:
  ///   - gva: the guest virtual address.
  ///   - limit: **Units** bytes; at least 1.
  public func piece(at gva: GVA, limit: UInt64) -> VirtualPiece {
    let small = min(limit, 0x1000 - gva.rawValue & 0xFFF)
    func hole(_ reason: VirtualHole.Reason) -> VirtualPiece {
      VirtualPiece(
        gva: gva, count: small, place: .failure(VirtualHole(gva: gva, reason: reason)))
    }
    switch translate(gva, Probe()) {
    case .success(let translation):
      let left = translation.pageSize.bytes - translation.address.offset(in: translation.pageSize)
      let held = image.heldBytes(from: translation.address, upTo: min(left, limit))
      if held == 0 { return hole(.pageMissing(translation.address)) }
      return VirtualPiece(gva: gva, count: held, place: .success(translation.address))
    case .failure(.fault(let fault)): return hole(.unmapped(fault.cause, fault.level))
    case .failure(.unreadable(_, let entry, let level)):
      return hole(.tableMissing(entry: GPA(entry), level))
    case .failure(.contended):
      // Nobody writes an image.
      return hole(.unmapped(.notPresent, Level(0)))
    }
  }

  /// Tells a range piece by piece, in address order.
  ///
  /// - Parameters:
  ///   - gva: the guest virtual address.
  ///   - count: **Units** bytes; the range must not pass 2^64.
  ///   - largest: the largest piece. **Units** bytes.
  ///   - body: gets each piece, in order.
  public func forEachPiece<Failure: Error>(
    from gva: GVA, count: UInt64, largest: UInt64 = 1 << 20,
    _ body: (VirtualPiece) throws(Failure) -> Void
  ) throws(Failure) {
    var done: UInt64 = 0
    while done < count {
      let piece = piece(at: gva.wrappingAdd(done), limit: min(count - done, max(largest, 1)))
      try body(piece)
      done += piece.count
    }
  }

  /// The first address of a range that cannot be read, or `nil`.
  public func firstHole(from gva: GVA, count: UInt64) -> VirtualHole? {
    do throws(VirtualHole) {
      try forEachPiece(from: gva, count: count, largest: .max) { piece throws(VirtualHole) in
        _ = try piece.place.get()
      }
      return nil
    } catch {
      return error
    }
  }

  /// The same registers with another CR3.
  ///
  /// - Throws: `ImageError.badPDPTE`.
  public func rooted(at cr3: UInt64) throws(ImageError) -> ImageAddressSpace {
    var resolved = ImageRegisters(registers: registers, features: features)
    resolved.registers.cr3 = cr3
    return try ImageAddressSpace(image, resolved)
  }
}
