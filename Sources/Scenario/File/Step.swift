public import Paging

/// One step of a scenario.
public struct Step: Sendable {
  /// The line of the step.
  public var line: Int
  /// What is done.
  public var action: Action
  /// What must come of it.
  public var expectation: Expectation?
}

/// What a step does.
public enum Action: Sendable {
  /// A guest access.
  case access(AccessAction)
  /// Builds guest tables.
  case map(MapAction)
  /// Writes guest memory from outside.
  case poke(PokeAction)
  /// INVLPG.
  case invalidatePage(GVA, vcpu: Int)
  /// MOV to a register.
  case setRegister(String, UInt64, vcpu: Int)
  /// The same access again and again.
  case repeated(RepeatAction)

  /// The step's word.
  public var name: String {
    switch self {
    case .access(let access): access.kind.description
    case .map: "map"
    case .poke: "poke"
    case .invalidatePage: "invlpg"
    case .setRegister: "set-register"
    case .repeated: "repeat"
    }
  }
}

/// A guest access.
public struct AccessAction: Sendable {
  /// How the bytes read are shown.
  public enum Form: Sendable, Hashable {
    /// A little-endian number.
    case number
    /// Printable text.
    case text
    /// Bytes in hex.
    case bytes
  }

  /// Read, write or fetch.
  public var kind: AccessKind
  /// Where.
  public var va: GVA
  /// **Units** bytes; above 16 the step is split into accesses of 16.
  public var size: Int
  /// What is written.
  public var value: UInt128
  /// Whether in user mode.
  public var isUser: Bool
  /// RFLAGS.AC.
  public var alignmentCheck: Bool
  /// Whether no instruction asked for it.
  public var isImplicit: Bool
  /// Which vCPU.
  public var vcpu: Int
  /// How it is shown.
  public var form: Form

  /// The most bytes one step reads.
  public static var largestSize: Int { 4096 }
}

/// Builds guest tables.
public struct MapAction: Sendable {
  /// The first address.
  public var va: GVA
  /// Where it leads.
  public var gpa: GPA
  /// **Units** bytes.
  public var byteCount: UInt64
  /// What the entries grant.
  public var permissions: Permissions
  /// The size of the pages.
  public var pageSize: PageSize
  /// Where new tables are put, one page after the other; `nil` to go on where the last `map` ended.
  public var tablesAt: GPA?
  /// Whose tables.
  public var vcpu: Int

  /// The most pages one step maps.
  public static var largestCount: UInt64 { 1 << 22 }
}

/// Writes guest memory from outside, as another device or a debugger would.
public struct PokeAction: Sendable {
  /// Where.
  public var gpa: GPA
  /// What.
  public var bytes: [UInt8]
}

/// The same access again and again.
public struct RepeatAction: Sendable {
  /// How addresses follow each other.
  public enum Pattern: Sendable, Hashable {
    /// Upwards by the access's size.
    case sequential
    /// By a seeded generator, aligned to the access's size.
    case random(seed: UInt64)
  }

  /// How often.
  public var count: Int
  /// Which addresses.
  public var pattern: Pattern
  /// Between these, the end exclusive.
  public var range: Range<UInt64>
  /// What is done; the address is replaced.
  public var access: AccessAction

  /// The most accesses one step does.
  public static var largestCount: UInt64 { 100_000_000 }
}

/// What must come of a step; what is not named may be anything.
public struct Expectation: Sendable {
  /// The line of the expectation.
  public var line = 0
  /// Whether the access goes through.
  public var ok: Bool?
  /// The number read.
  public var value: UInt128?
  /// The text read.
  public var text: String?
  /// The bytes read.
  public var bytes: [UInt8]?
  /// The vector and error code of the guest's exception.
  public var fault: (vector: UInt64, error: UInt64)?
  /// The guest physical address.
  public var gpa: GPA?
  /// All exits by cause; causes that are not named must not occur.
  public var exits: [ExitCause: Int]?
  /// A bound on all exits.
  public var exitsAtMost: Int?
  /// Whether the TLB hits.
  public var tlbHit: Bool?
  /// Whether the access goes to the MMIO bus.
  public var isMMIO: Bool?
}
