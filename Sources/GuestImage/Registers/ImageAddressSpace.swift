public import Paging
public import X86
public import X86Guest
import X86PAE

/// One address space of an image: the image, and the registers of a vCPU to walk it with.
public struct ImageAddressSpace: Sendable {
  /// The memory.
  public let image: GuestImage
  /// The registers and the processor.
  public let registers: X86Registers
  /// What the processor can do.
  public let features: X86Features
  /// What was assumed or tolerated, for people; one line each.
  public let notes: [String]

  @usableFromInline
  enum State: Sendable {
    case ready(X86Regime)
    /// PAE whose PDPTEs are not in the image.
    case hole(ImageHole, entry: UInt64)
  }
  @usableFromInline let state: State

  /// An address space.
  ///
  /// - Parameters:
  ///   - image: the memory.
  ///   - resolved: the registers and where each comes from.
  ///   - isStrict: refuses PDPTEs with bit 5, which QEMU's emulator sets, as hardware does.
  /// - Throws: `ImageError.badPDPTE`. PDPTEs that the image does not hold are an outcome of each
  ///   translation and not an error.
  public init(
    _ image: GuestImage, _ resolved: ImageRegisters, isStrict: Bool = false
  ) throws(ImageError) {
    self.image = image
    registers = resolved.registers
    features = resolved.features
    let strictness: PDPTERegisters.Strictness = isStrict ? .strict : .acceptingAccessedBit
    let loaded =
      if let inner = image.inner {
        X86Regime.load(registers, features, in: inner, strictness).mapError(Self.opaque)
      } else {
        X86Regime.load(registers, features, in: image, strictness)
      }
    switch loaded {
    case .success(let (regime, clearedBit5)):
      state = .ready(regime)
      notes =
        resolved.notes
        + (clearedBit5
          ? ["a PDPTE has bit 5 set, as QEMU's emulator writes it: ignored (--strict refuses it)"]
          : [])
    case .failure(.reservedBits(let index, let entry, let bits)):
      throw .badPDPTE(index: index, entry: entry, bits: bits)
    case .failure(.unreadable(let hole, let entry)):
      state = .hole(hole, entry: entry)
      notes = resolved.notes
    }
  }

  /// How addresses are translated, or `nil` where the PDPTEs of PAE are not in the image.
  public var regime: X86Regime? {
    if case .ready(let regime) = state { regime } else { nil }
  }

  /// Walks the image's tables for one address; 32-bit modes look at its low half.
  ///
  /// Of an inner guest (`GuestImage.inner`) this is the two-dimensional walk of its tables: where the
  /// second level does not give one of them the table is unreadable, and `secondLevel(of:at:for:)`
  /// says why.
  @inlinable
  public func translate<Strategy: WalkStrategy>(
    _ address: GVA, for access: X86Access = .read, _ strategy: inout Strategy
  ) -> Result<
    Translation<GuestPhysical, X86Rights>, WalkFailure<X86Fault, ImageHole>
  > {
    switch state {
    case .ready(let regime):
      image.inner == nil
        ? regime.translate(address, for: access, in: image, &strategy)
        : translateInside(regime, address, for: access, &strategy)
    case .hole(let hole, let entry):
      .failure(.unreadable(hole, entry: entry, level: .directoryPointer))
    }
  }

  /// Walks the image's tables for one address; 32-bit modes look at its low half.
  @inlinable
  public func translate<Strategy: WalkStrategy>(
    _ address: GVA, for access: X86Access = .read, _ strategy: Strategy
  ) -> Result<
    Translation<GuestPhysical, X86Rights>, WalkFailure<X86Fault, ImageHole>
  > {
    var strategy = strategy
    return translate(address, for: access, &strategy)
  }

  /// The entry of the PDPTE registers that covers an address, in PAE mode.
  ///
  /// - Returns: where CR3 says that it was loaded from, and the register's value.
  public func directoryPointer(for address: GVA) -> (gpa: GPA, value: UInt64)? {
    guard case .ready(.pae(let pae)) = state else { return nil }
    let index = address.rawValue >> 30 & 3
    return (
      GPA(PDPTERegisters.table(cr3: registers.cr3) &+ index &* 8), pae.root[Int(index)]
    )
  }
}
