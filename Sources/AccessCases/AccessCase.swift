public import Paging
public import X86

/// One access of a processor in a given state, and what it must lead to.
public struct AccessCase: Hashable, Sendable {
  /// The name that reports use.
  public var id: String
  /// The mode that the registers select.
  public var mode: X86Mode
  /// The registers, PKRU and PKRS included.
  public var registers: X86Registers
  /// The processor.
  public var features: X86Features
  /// The entries that memory holds, by GPA: 4 B each in legacy32, else 8 B; all else reads 0.
  public var memory: [UInt64: UInt64]
  /// What is accessed.
  public var address: GVA
  /// How.
  public var access: X86Access
  /// What must come out.
  public var expectation: AccessOutcome

  /// A case.
  public init(
    id: String, mode: X86Mode, registers: X86Registers, features: X86Features,
    memory: [UInt64: UInt64], address: GVA, access: X86Access, expectation: AccessOutcome
  ) {
    self.id = id
    self.mode = mode
    self.registers = registers
    self.features = features
    self.memory = memory
    self.address = address
    self.access = access
    self.expectation = expectation
  }

  /// The size of an entry in a mode. **Units** bytes.
  public static func entrySize(_ mode: X86Mode) -> UInt64 { mode == .legacy32 ? 4 : 8 }
}
