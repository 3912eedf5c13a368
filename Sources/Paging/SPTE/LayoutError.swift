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
