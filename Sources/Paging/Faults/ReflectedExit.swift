/// An exit of a guest's guest that the hypervisor inside the guest gets, as if it had the processor to
/// itself (SPEC F15).
@frozen
public struct ReflectedExit: Error, Sendable, Hashable {
  /// The exit's kind.
  public let cause: ExitCause
  /// The exit qualification of an EPT violation, EXITINFO1 of a nested page fault; 0 where the exit
  /// has none.
  public let information: UInt64
  /// The inner guest's physical address.
  public let gpa: GPA
  /// The inner guest's linear address, where the processor gives it.
  public let gva: GVA?
  /// Whether the hypervisor's entry lets it be a #VE of the inner guest instead (EPT, bit 63 clear).
  public let isConvertible: Bool

  /// An exit.
  @inlinable
  public init(
    cause: ExitCause, information: UInt64, gpa: GPA, gva: GVA?, isConvertible: Bool = false
  ) {
    self.isConvertible = isConvertible
    self.cause = cause
    self.information = information
    self.gpa = gpa
    self.gva = gva
  }
}

extension ReflectedExit: CustomStringConvertible {
  /// One line: the cause, the address and what the hardware says besides.
  public var description: String {
    let linear = gva.map { ", GVA \($0)" } ?? ""
    return "\(cause.rawValue) at GPA \(gpa)\(linear), information 0x"
      + String(information, radix: 16)
  }
}
