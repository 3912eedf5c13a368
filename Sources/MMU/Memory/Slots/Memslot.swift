public import Paging

/// A run of guest frames and the host memory behind it.
///
/// **Source** KVM behaviour (`KVM_SET_USER_MEMORY_REGION`).
public struct Memslot: Sendable, Hashable {
  /// What a slot allows.
  public struct Flags: OptionSet, Sendable, Hashable {
    /// Bit 0 read-only, 1 log dirty pages, 2 violations become #VE, 3 D is not to be relied on.
    public let rawValue: UInt8
    /// Takes the bits as they are.
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// The guest's writes become MMIO.
    public static var readOnly: Flags { Flags(rawValue: 1) }
    /// Writes are recorded.
    public static var logsDirtyPages: Flags { Flags(rawValue: 2) }
    /// A violation of the slot's mapped pages is the guest's #VE, where the vCPU takes it (SPEC E15).
    public static var convertsViolations: Flags { Flags(rawValue: 4) }
    /// Its writes are found by taking W away, whatever the method of its log: where hardware would log
    /// the addresses of a guest's guest (SPEC E2).
    public static var dirtyByProtection: Flags { Flags(rawValue: 8) }
  }

  /// The number it is known by.
  public let id: Int
  /// The first frame.
  public var base: GFN
  /// **Units** frames; at least 1.
  public var frameCount: UInt64
  /// Where its memory begins in the machine's reservation, or `nil` where nothing backs it.
  public var host: HPA?
  /// Where the memory that the guest has for itself begins, or `nil` where the slot has none.
  public var privateHost: HPA?
  /// What it allows.
  public var flags: Flags
  /// The largest page the host backs it with.
  public var backing: PageSize
  /// Where its written pages are recorded while `flags` say so.
  public var dirtyLog: DirtyLog?
  /// The pages that are not on this host yet, where some may be missing.
  public var missing: MissingPages?
  /// How many of its frames come before `base`, where another slot hides the beginning of it in one
  /// address space. **Units** frames.
  public private(set) var hiddenFrames: UInt64 = 0

  /// A slot.
  public init(
    id: Int, base: GFN, frameCount: UInt64, host: HPA?, flags: Flags = [],
    backing: PageSize = .size1GiB, dirtyLog: DirtyLog? = nil, privateHost: HPA? = nil,
    missing: MissingPages? = nil
  ) {
    self.id = id
    self.base = base
    self.frameCount = frameCount
    self.host = host
    self.flags = flags
    self.backing = backing
    self.dirtyLog = dirtyLog
    self.missing = missing
    self.privateHost = privateHost
  }

  /// The log of writes, where they are recorded now.
  @inlinable
  public var activeLog: DirtyLog? { flags.contains(.logsDirtyPages) ? dirtyLog : nil }

  /// The part of the slot in a range, which it overlaps, as a slot: what another slot leaves of it in one
  /// address space.
  func part(in range: Range<GFN>) -> Memslot {
    var part = self
    part.base = max(base, range.lowerBound)
    part.frameCount = min(end, range.upperBound).rawValue &- part.base.rawValue
    part.hiddenFrames = offset(of: part.base)
    let bytes = (part.base.rawValue &- base.rawValue) << 12
    part.host = host?.wrappingAdd(bytes)
    part.privateHost = privateHost?.wrappingAdd(bytes)
    return part
  }
}

extension Memslot: MemslotShape {
  /// Whether some page is not on this host yet.
  @inlinable
  public var lacksPages: Bool { missing.map { !$0.isComplete } ?? false }
}
