public import Paging

/// One access of an x86 processor to a linear address.
@frozen
public struct X86Access: MemoryAccess, Hashable, Sendable {
  /// All of the access. **Bits** 1:0 the kind, 2 user, 3 implicit, 4 RFLAGS.AC, 5 stack, 6 shadow
  /// stack.
  // PERF: walk.checked.random; one register carries it and selects bits of `X86Verdicts`.
  @usableFromInline var code: UInt8

  /// An access.
  ///
  /// - Parameters:
  ///   - user: whether CPL is 3; an implicit access is a supervisor one all the same.
  @inlinable
  public init(
    _ kind: AccessKind, user: Bool = false, implicit: Bool = false, alignmentCheck: Bool = false,
    stack: Bool = false, shadowStack: Bool = false
  ) {
    code = kind.rawValue
    isUser = user && !implicit
    isImplicit = implicit
    self.alignmentCheck = alignmentCheck
    isStack = stack
    isShadowStack = shadowStack
  }

  @inlinable
  init(code: UInt8) { self.code = code }

  @inlinable
  subscript(bit bit: UInt8) -> Bool {
    get { code & bit != 0 }
    set { code = newValue ? code | bit : code & ~bit }
  }

  /// Read, write (also read-modify-write) or fetch.
  @inlinable
  public var kind: AccessKind {
    get { isWrite ? .write : isFetch ? .fetch : .read }
    set { code = code & ~3 | newValue.rawValue }
  }

  /// Made in user mode (CPL 3) and not implicitly: it needs U/S=1.
  @inlinable
  public var isUser: Bool {
    get { self[bit: 4] }
    set { self[bit: 4] = newValue }
  }

  /// A supervisor access that no instruction asked for (descriptor tables, the TSS): SMAP refuses it
  /// whatever RFLAGS.AC says.
  @inlinable
  public var isImplicit: Bool {
    get { self[bit: 8] }
    set { self[bit: 8] = newValue }
  }

  /// RFLAGS.AC at the access: lifts SMAP for explicit supervisor accesses.
  @inlinable
  public var alignmentCheck: Bool {
    get { self[bit: 16] }
    set { self[bit: 16] = newValue }
  }

  /// Made through the stack segment: a bad address is #SS, not #GP.
  @inlinable
  public var isStack: Bool {
    get { self[bit: 32] }
    set { self[bit: 32] = newValue }
  }

  /// A CET shadow-stack access.
  @inlinable
  public var isShadowStack: Bool {
    get { self[bit: 64] }
    set { self[bit: 64] = newValue }
  }

  /// Whether the kind is a write.
  @inlinable
  var isWrite: Bool { self[bit: 1] }

  /// Whether the kind is a fetch.
  @inlinable
  var isFetch: Bool { self[bit: 2] }

  /// A supervisor read.
  @inlinable
  public static var read: X86Access { X86Access(.read) }
  /// A supervisor write.
  @inlinable
  public static var write: X86Access { X86Access(.write) }
  /// A supervisor fetch.
  @inlinable
  public static var fetch: X86Access { X86Access(.fetch) }
}
