/// The virtualization-exception information area, as the processor fills it.
///
/// **Source** Intel SDM Vol. 3C, "Virtualization Exceptions".
public struct VirtualizationExceptionArea: Sendable, Hashable {
  /// The exception's vector.
  public static var vector: UInt8 { 20 }
  /// **Units** bytes.
  public static var size: Int { 34 }
  /// Where the busy word is. **Units** bytes.
  public static var busyOffset: UInt64 { 4 }
  /// The basic exit reason of an EPT violation.
  public static var violationReason: UInt32 { 48 }

  /// Offset 0: the exit reason that the violation would have had.
  public var reason: UInt32
  /// Offset 4: all ones, so that no second exception comes before software clears it.
  public var busyWord: UInt32
  /// Offset 8.
  public var qualification: UInt64
  /// Offset 16: the linear address.
  public var gva: UInt64
  /// Offset 24: the guest physical address.
  public var gpa: UInt64
  /// Offset 32.
  public var eptpIndex: UInt16

  /// The area of a violation.
  public init(qualification: UInt64, gva: UInt64, gpa: UInt64, eptpIndex: UInt16) {
    reason = Self.violationReason
    busyWord = .max
    self.qualification = qualification
    self.gva = gva
    self.gpa = gpa
    self.eptpIndex = eptpIndex
  }

  /// The area that bytes hold, or `nil` unless there are 34.
  public init?(bytes: [UInt8]) {
    guard bytes.count == Self.size else { return nil }
    func number(_ offset: Int, _ size: Int) -> UInt64 {
      (0..<size).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64($1 * 8) }
    }
    reason = UInt32(number(0, 4))
    busyWord = UInt32(number(4, 4))
    qualification = number(8, 8)
    gva = number(16, 8)
    gpa = number(24, 8)
    eptpIndex = UInt16(number(32, 2))
  }

  /// The area as the processor writes it, little-endian.
  public var bytes: [UInt8] {
    func bytes(_ value: UInt64, _ size: Int) -> [UInt8] {
      (0..<size).map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) }
    }
    return bytes(UInt64(reason), 4) + bytes(UInt64(busyWord), 4) + bytes(qualification, 8)
      + bytes(gva, 8) + bytes(gpa, 8) + bytes(UInt64(eptpIndex), 2)
  }
}
