/// Which entries mean "no memslot here: MMIO", as a value under a mask.
///
/// The three numbers are KVM's `kvm_mmu_set_mmio_spte_mask`: an SPTE with
/// `spte & mask == value` is an MMIO entry; the access bits under `accessMask` are kept in it.
@frozen
public struct MMIOMask: Sendable, Hashable {
  /// The bits an MMIO entry has under `mask`.
  public var value: UInt64
  /// The bits that tell an MMIO entry.
  public var mask: UInt64
  /// Which access bits (bit 1 write, bit 2 user) an MMIO entry keeps. **Bits** 31:0.
  public var accessMask: UInt64

  /// How many generations entries tell apart, and what becomes of entries when they wrap.
  public var generations = MMIOGenerations()

  /// A mask; checked when a layout is composed with it.
  @inlinable
  public init(value: UInt64, mask: UInt64, accessMask: UInt64) {
    self.value = value
    self.mask = mask
    self.accessMask = accessMask
  }
}

/// How many memslot generations MMIO entries tell apart, and what becomes of entries when they wrap.
///
/// Anything but the default is for drills, which show what generations are for: with 3 bits the eighth
/// memslot change brings back the generation of entries that were made before the first.
@frozen
public struct MMIOGenerations: Sendable, Hashable {
  /// The bits in use, from the lowest; at most those that the layout has. **Units** bits.
  public var bits: Int
  /// Whether all entries go when the generations wrap (SPEC T2).
  public var zapsAtWrap: Bool

  /// All bits of the layout, and no entry outlives a wrap.
  @inlinable
  public init(bits: Int = 19, zapsAtWrap: Bool = true) {
    self.bits = max(1, min(bits, 63))
    self.zapsAtWrap = zapsAtWrap
  }
}

/// Why a layout cannot be composed: the rule that is broken, by which bits, and who owns them.
public struct LayoutError: Error, Sendable, Hashable {
  /// The layout.
  public let layout: String
  /// The rule, as a sentence without a full stop.
  public let rule: String
  /// The offending bits; 0 where the rule is not about bits.
  public let bits: UInt64
  /// The field that owns them already, or that breaks the rule; empty where there is none.
  public let owner: String

  /// A broken rule.
  public init(layout: String, rule: String, bits: UInt64 = 0, owner: String = "") {
    self.layout = layout
    self.rule = rule
    self.bits = bits
    self.owner = owner
  }
}

extension LayoutError: CustomStringConvertible {
  /// One line: rule, bits, owner.
  public var description: String {
    var text = "\(layout): \(rule)"
    if bits != 0 {
      let list = (0..<64).filter { bits >> UInt64($0) & 1 != 0 }.map(String.init)
      text += list.count == 1 ? "; bit " : "; bits "
      text += list.count > 8 ? "0x" + String(bits, radix: 16) : list.joined(separator: ", ")
    }
    if !owner.isEmpty { text += " (\(owner))" }
    return text
  }
}
