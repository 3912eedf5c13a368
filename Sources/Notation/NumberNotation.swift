/// How the project's files and command line write numbers: `4096`, `0x1000`, `4 KiB`; never octal.
public enum NumberNotation {
  /// Reads a number without a unit: decimal digits, or `0x` and hex digits.
  ///
  /// - Returns: the number; `nil` for anything else, also for one of more than 64 bits.
  public static func integer(_ text: some StringProtocol) -> UInt64? {
    let bytes = text.utf8
    let isHex = bytes.starts(with: "0x".utf8) || bytes.starts(with: "0X".utf8)
    let digits = isHex ? bytes.dropFirst(2) : bytes[...]
    guard !digits.isEmpty else { return nil }
    var value: UInt64 = 0
    let radix: UInt64 = isHex ? 16 : 10
    for byte in digits {
      guard let digit = digit(byte), digit < radix else { return nil }
      let (product, productOverflow) = value.multipliedReportingOverflow(by: radix)
      let (sum, sumOverflow) = product.addingReportingOverflow(digit)
      guard !productOverflow, !sumOverflow else { return nil }
      value = sum
    }
    return value
  }

  /// Reads a number of bytes: as `integer`, or with one of `KiB MiB GiB TiB` after it.
  ///
  /// - Returns: the number; `nil` for anything else, also for one of more than 64 bits.
  public static func bytes(_ text: some StringProtocol) -> UInt64? {
    for (unit, shift) in units where text.hasSuffix(unit) {
      var number = Substring(text).dropLast(unit.count)
      if number.last == " " { number.removeLast() }
      guard let count = integer(number) else { return nil }
      let (product, overflow) = count.multipliedReportingOverflow(by: 1 << shift)
      return overflow ? nil : product
    }
    return integer(text)
  }

  private static let units: [(String, UInt64)] = [
    ("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40),
  ]

  private static func digit(_ byte: UInt8) -> UInt64? {
    switch byte {
    case 0x30...0x39: UInt64(byte &- 0x30)
    case 0x41...0x46: UInt64(byte &- 0x41 &+ 10)
    case 0x61...0x66: UInt64(byte &- 0x61 &+ 10)
    default: nil
    }
  }
}
