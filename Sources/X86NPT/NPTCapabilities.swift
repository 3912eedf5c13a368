/// What the modelled processor's nested paging can do, and how the host uses it.
///
/// **Source** AMD APM Vol. 2, "Nested Paging".
@frozen
public struct NPTCapabilities: Hashable, Sendable {
  /// The form of the tables: the host's own paging mode.
  @frozen
  public enum Form: Int, Hashable, Sendable, CaseIterable {
    /// Three levels, four entries at the top, guest physical addresses of 32 bits.
    case pae = 3
    /// Four levels.
    case long4 = 4
    /// Five levels.
    case long5 = 5
  }

  /// MAXPHYADDR. **Units** bits, 32...52; another number becomes the nearest of these.
  public var physicalAddressWidth: Int {
    didSet { physicalAddressWidth = min(max(physicalAddressWidth, 32), 52) }
  }
  /// The address bits that say how memory is encrypted: above M, and not reserved; 0 without.
  public var encryptionMask: UInt64 = 0
  /// The form of the tables.
  public var form: Form
  /// 1 GiB leaves, in the long forms.
  public var pages1GiB: Bool
  /// The host's EFER.NXE: bit 63 forbids execution; else it is reserved.
  public var noExecute: Bool

  /// A current server processor under a host that uses NX.
  ///
  /// - Parameters:
  ///   - physicalAddressWidth: MAXPHYADDR, clamped to 32...52.
  ///   - form: which tables the processor walks.
  ///   - pages1GiB: whether leaves may map 1 GiB.
  ///   - noExecute: whether entries can forbid execution.
  public init(
    physicalAddressWidth: Int, form: Form = .long4, pages1GiB: Bool = true, noExecute: Bool = true
  ) {
    self.physicalAddressWidth = min(max(physicalAddressWidth, 32), 52)
    self.form = form
    self.pages1GiB = pages1GiB
    self.noExecute = noExecute
  }

  /// The number of levels. **Units** 3...5.
  @inlinable
  public var levels: Int { form.rawValue }

  /// The width of the guest physical addresses that the tables translate. **Units** bits.
  @inlinable
  public var inputWidth: Int { form == .pae ? 32 : 12 &+ 9 &* levels }
}
