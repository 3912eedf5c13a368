public import Paging
public import X86
public import X86Legacy32
public import X86Long
public import X86PAE

/// How entries of an x86 guest's tables are read under the registers that matter to it: the mode,
/// EFER.NXE and CR4.PSE.
public struct X86GuestEntries: GuestEntryFormat {
  @usableFromInline
  enum Format: Sendable {
    case none
    case legacy32(Legacy32)
    case pae(PAE)
    case long4(Long4)
    case long5(Long5)
  }

  @usableFromInline
  struct Key: Hashable, Sendable {
    @usableFromInline var mode: X86Mode
    var executeDisable: Bool
    var largePages: Bool
    var features: X86Features
  }

  @usableFromInline let key: Key
  @usableFromInline let format: Format

  /// The entries that registers select.
  public init(_ registers: X86Registers, _ features: X86Features) {
    self.init(registers, features, X86Regime(registers, features))
  }

  /// The same, of a regime that they have selected.
  init(_ registers: X86Registers, _ features: X86Features, _ regime: X86Regime) {
    let mode = regime.mode
    key = Key(
      mode: mode,
      executeDisable: features.nx && registers.efer.contains(.noExecuteEnable),
      largePages: mode == .legacy32 && registers.cr4.contains(.pageSizeExtensions),
      features: features)
    format =
      switch regime {
      case .none: .none
      case .legacy32(let regime): .legacy32(regime.format)
      case .pae(let regime): .pae(regime.format)
      case .long4(let regime): .long4(regime.format)
      case .long5(let regime): .long5(regime.format)
      }
  }

  /// 4 in two-level paging, 8 elsewhere, 0 with paging off.
  @inlinable  // PERF: fault.shadow
  public var entrySize: Int {
    switch key.mode {
    case .none: 0
    case .legacy32: 4
    case .pae, .long4, .long5: 8
    }
  }

  /// 2, 4 or 5; PAE's third level is in registers.
  @inlinable
  public var topLevel: Level {
    switch key.mode {
    case .none: Level(0)
    case .legacy32, .pae: .directory
    case .long4: Level(4)
    case .long5: Level(5)
    }
  }

  /// 5 for five-level guests, else 4.
  public var shadowLevels: Level { key.mode == .long5 ? Level(5) : Level(4) }

  /// With EFER.NXE in a mode of 8-byte entries the error code tells fetches apart, as the processor's
  /// does on shadow tables; without, only with SMEP, which the entries do not know of (SPEC W7).
  public var canFaultByItself: Bool { key.executeDisable && entrySize == 8 }

  /// A and D.
  @inlinable
  public var markBits: UInt64 { 0x60 }

  /// Reads an entry as the mode does.
  @inlinable
  @inline(__always)  // PERF: sync.shadow
  public func decode(_ entry: UInt64, at level: Level) -> GuestEntry {
    switch format {
    case .none: GuestEntry(kind: .notPresent)
    case .legacy32(let format): decode(UInt32(truncatingIfNeeded: entry), at: level, format)
    case .pae(let format): decode(entry, at: level, format)
    case .long4(let format): decode(entry, at: level, format)
    case .long5(let format): decode(entry, at: level, format)
    }
  }

  @inlinable
  @inline(__always)
  func decode<F: X86PagingFormat>(
    _ entry: F.Entry, at level: Level, _ format: F
  ) -> GuestEntry {
    let raw = UInt64(entry)
    var result = GuestEntry(entry, at: level, in: format)
    if result.kind == .notPresent || result.kind == .reserved { return result }
    if result.kind == .leaf, F.Entry.bitWidth == 64 {
      result.protectionKey = UInt8(raw >> 59 & 15)
    }
    result.isAccessed = raw & 0x20 != 0
    result.isDirty = raw & 0x40 != 0
    return result
  }

  /// Whether two values read every entry alike.
  public static func == (left: X86GuestEntries, right: X86GuestEntries) -> Bool {
    left.key == right.key
  }

  /// Hashes what `==` compares.
  public func hash(into hasher: inout Hasher) { hasher.combine(key) }
}
