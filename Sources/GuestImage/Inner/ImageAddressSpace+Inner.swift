public import Paging
public import X86
public import X86Guest
import X86PAE

extension ImageAddressSpace {
  /// What the second level says of a finished walk of an inner guest: the page itself where the walk
  /// arrived, the refusal where one of its tables could not be read.
  ///
  /// - Returns: `nil` where there is no second level, or the guest's own tables refuse.
  public func secondLevel(
    of outcome: Result<
      Translation<GuestPhysical, X86Rights>, WalkFailure<X86Fault, ImageHole>
    >, at address: GVA, for kind: AccessKind
  ) -> Result<InnerPage, InnerFailure>? {
    guard let inner = image.inner else { return nil }
    switch outcome {
    case .success(let translation):
      return inner.walked(for: address).page(
        of: translation.address, for: kind, isUser: translation.rights.isUser)
    case .failure(.unreadable(_, let entry, _)):
      let memory = regime == nil ? inner : inner.walked(for: address)
      guard case .failure(let failure) = memory.load(GPA(entry), as: UInt64.self) else {
        return .failure(.contended)
      }
      return .failure(failure)
    case .failure(.fault), .failure(.contended): return nil
    }
  }

  /// The two-dimensional walk; out of line, so that walks of plain images stay small.
  @usableFromInline
  func translateInside<Strategy: WalkStrategy>(
    _ regime: X86Regime, _ address: GVA, for access: X86Access, _ strategy: inout Strategy
  ) -> Result<Translation<GuestPhysical, X86Rights>, WalkFailure<X86Fault, ImageHole>> {
    guard let inner = image.inner else { preconditionFailure("no second level") }
    return regime.translate(address, for: access, in: inner.walked(for: address), &strategy)
      .mapError { failure in
        switch failure {
        case .fault(let fault): .fault(fault)
        case .unreadable(_, let entry, let level):
          .unreadable(ImageHole(GPA(entry)), entry: entry, level: level)
        case .contended: .contended
        }
      }
  }

  /// A failed load of PDPTEs without the second level's reason.
  static func opaque(
    _ failure: PDPTELoadFailure<InnerFailure>
  ) -> PDPTELoadFailure<ImageHole> {
    switch failure {
    case .reservedBits(let index, let entry, let bits):
      .reservedBits(index: index, entry: entry, bits: bits)
    case .unreadable(_, let entry): .unreadable(ImageHole(GPA(entry)), entry: entry)
    }
  }
}
