public import Paging
import X86EPT
import X86NPT

/// The physical memory of a guest inside the imaged one: every read is a walk of the second level over
/// the image, so a guest's walk over this memory is the two-dimensional walk (SPEC W17).
public struct InnerMemory: EntryMemory, Sendable {
  /// The inner guest's physical addresses.
  public typealias Space = GuestPhysical
  /// An exit, or a table that the image does not hold.
  public typealias Failure = InnerFailure

  /// The second level.
  public let second: SecondLevel
  /// The image, whose addresses it leads to.
  public let host: HostImage
  /// The address whose walk reads; `nil` for loads of PDPTE registers.
  public let gva: GVA?

  /// Memory behind a second level.
  public init(_ image: GuestImage, behind second: SecondLevel, for gva: GVA? = nil) {
    self.second = second
    host = HostImage(image)
    self.gva = gva
  }

  /// The same memory, read by the walk of an address.
  public func walked(for gva: GVA) -> InnerMemory {
    InnerMemory(host.image, behind: second, for: gva)
  }

  private func nested<Format>(
    _ regime: FormatRegime<Format>
  ) -> NestedMemory<Format, HostImage> {
    NestedMemory(second: regime, host: host, gva: gva)
  }

  /// Reads an entry of the inner guest's tables.
  public func load<Entry: TableEntry>(
    _ address: GPA, as type: Entry.Type
  ) -> Result<Entry, InnerFailure> {
    switch second {
    case .ept(let regime):
      nested(regime).load(address, as: type).mapError(InnerFailure.init)
    case .npt(let regime):
      nested(regime).load(address, as: type).mapError(InnerFailure.init)
    }
  }

  /// Refuses: an image is never written.
  public func compareExchange<Entry: TableEntry>(
    _ address: GPA, expected: Entry, desired: Entry
  ) -> Result<EntryExchange, InnerFailure> {
    switch second {
    case .ept(let regime):
      nested(regime).compareExchange(address, expected: expected, desired: desired)
        .mapError(InnerFailure.init)
    case .npt(let regime):
      nested(regime).compareExchange(address, expected: expected, desired: desired)
        .mapError(InnerFailure.init)
    }
  }

  /// The page that the inner guest's own walk of `gva` arrived at.
  ///
  /// - Parameters:
  ///   - gpa: the guest physical address.
  ///   - kind: what is done with it.
  ///   - isUser: whether the inner guest's tables make it a user page.
  public func page(
    of gpa: GPA, for kind: AccessKind, isUser: Bool
  ) -> Result<InnerPage, InnerFailure> {
    let gva = gva ?? GVA(0)
    switch second {
    case .ept(let regime):
      return nested(regime).walk(gpa, regime.format.finalAccess(kind, isUser: isUser, for: gva))
        .map { found in
          let type = MemoryType(rawValue: UInt8(truncatingIfNeeded: found.leaf >> 3 & 7))
          return InnerPage(
            found, regime.format, caching: type.map { ($0, found.leaf & 1 << 6 != 0) })
        }
        .mapError(InnerFailure.init)
    case .npt(let regime):
      return nested(regime).walk(gpa, regime.format.finalAccess(kind, isUser: isUser, for: gva))
        .map { InnerPage($0, regime.format, caching: nil) }
        .mapError(InnerFailure.init)
    }
  }
}
