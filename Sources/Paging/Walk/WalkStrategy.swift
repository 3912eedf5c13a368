/// What a walk does besides following entries.
///
/// The walks of this package are one function; a strategy is the small parameter in which they
/// differ. Its two flags are compile-time constants, so what is off costs nothing.
public protocol WalkStrategy {
  /// Whether the rights of the entries can refuse the access.
  static var judges: Bool { get }
  /// Whether accessed and dirty bits are set once the access is granted.
  static var marks: Bool { get }
  /// Called with every entry, in the order of reading.
  mutating func read(_ step: WalkStep)
  /// Called when the walk begins again after losing a race, before the first entry.
  mutating func restart()
}

extension WalkStrategy {
  /// Ignores the entry.
  @inlinable
  public mutating func read(_ step: WalkStep) {}
  /// Ignores the restart.
  @inlinable
  public mutating func restart() {}
}

/// The tools' walk: judges nothing, changes nothing; rights are reported.
@frozen
public struct Probe: WalkStrategy {
  /// No refusals.
  @inlinable
  public static var judges: Bool { false }
  /// No side effects.
  @inlinable
  public static var marks: Bool { false }
  /// A walk for tools.
  @inlinable
  public init() {}
}

/// Judges the access and changes nothing.
@frozen
public struct Judge: WalkStrategy {
  /// Refuses by rights.
  @inlinable
  public static var judges: Bool { true }
  /// No side effects.
  @inlinable
  public static var marks: Bool { false }
  /// A walk that asks "would this go through?".
  @inlinable
  public init() {}
}

/// The hardware's walk: judges the access, then sets A and D.
@frozen
public struct Commit: WalkStrategy {
  /// Refuses by rights.
  @inlinable
  public static var judges: Bool { true }
  /// Sets A at every level and D in the leaf of a write.
  @inlinable
  public static var marks: Bool { true }
  /// A walk as the CPU does it.
  @inlinable
  public init() {}
}

/// Another strategy, with every entry kept.
///
/// For tools and fault reports, not for hot loops: it grows an array.
public struct Recording<Base: WalkStrategy>: WalkStrategy {
  /// The entries read, root first.
  public private(set) var steps: [WalkStep] = []

  /// As the base.
  public static var judges: Bool { Base.judges }
  /// As the base.
  public static var marks: Bool { Base.marks }

  /// Records what a walk of the given kind reads.
  public init(_ base: Base) {}

  /// Keeps the entry.
  public mutating func read(_ step: WalkStep) { steps.append(step) }

  /// Forgets the entries of the lost attempt.
  public mutating func restart() { steps.removeAll(keepingCapacity: true) }
}
