public import Paging

/// One access of an x86 processor to a linear address.
@frozen
public struct X86Access: MemoryAccess, Hashable, Sendable {
  /// Read, write (also read-modify-write) or fetch.
  public var kind: AccessKind
  /// Made in user mode (CPL 3) and not implicitly: it needs U/S=1.
  public var isUser: Bool
  /// A supervisor access that no instruction asked for (descriptor tables, the TSS): SMAP refuses it
  /// whatever RFLAGS.AC says.
  public var isImplicit: Bool
  /// RFLAGS.AC at the access: lifts SMAP for explicit supervisor accesses.
  public var alignmentCheck: Bool
  /// Made through the stack segment: a bad address is #SS, not #GP.
  public var isStack: Bool
  /// A CET shadow-stack access.
  public var isShadowStack: Bool

  /// An access.
  ///
  /// - Parameters:
  ///   - user: whether CPL is 3; an implicit access is a supervisor one all the same.
  @inlinable
  public init(
    _ kind: AccessKind, user: Bool = false, implicit: Bool = false, alignmentCheck: Bool = false,
    stack: Bool = false, shadowStack: Bool = false
  ) {
    self.kind = kind
    self.isUser = user && !implicit
    self.isImplicit = implicit
    self.alignmentCheck = alignmentCheck
    self.isStack = stack
    self.isShadowStack = shadowStack
  }

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
