public import Paging

/// One entry that the walk read.
public struct ExplainedEntry: Hashable, Sendable {
  /// Its level.
  public let level: Level
  /// The manual's name of it, such as `PDE`.
  public let name: String
  /// Where it is; for a PDPTE register where it was loaded from.
  public let gpa: GPA
  /// What it holds, widened to 64 bits.
  public let value: UInt64
  /// What it is.
  public let kind: EntryKind
  /// Whether it is a PDPTE register of PAE and not memory.
  public let isRegister: Bool
  /// Its layout.
  public let fields: [BitField]

  /// Whether it grants something to rights: PDPTE registers do not.
  var hasRights: Bool { !isRegister }
  var isWritable: Bool { value & 1 << 1 != 0 }
  var isUser: Bool { value & 1 << 2 != 0 }
  var isDirty: Bool { value & 1 << 6 != 0 }
  var isExecuteDisable: Bool { value & 1 << 63 != 0 }
  /// Bits 62:59.
  var key: Int { Int(value >> 59 & 15) }

  /// `PDE at GPA 0x1000`, or `PDPTE register 2`.
  public var place: String {
    isRegister ? "\(name) register \(gpa.rawValue >> 3 & 3)" : "\(name) at GPA \(gpa)"
  }
}
