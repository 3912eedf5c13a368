/// Bytes as people read them.
public enum Hexdump {
  /// **Units** bytes a line.
  public static var width: Int { 16 }

  /// One line: the address in 16 digits, the bytes in two groups of eight, and the printable ones.
  public static func line(_ bytes: [UInt8], at address: UInt64) -> String {
    let digits = String(address, radix: 16)
    var line = String(repeating: "0", count: 16 - digits.count) + digits + " "
    for index in 0..<width {
      if index % 8 == 0 { line += " " }
      if index < bytes.count {
        line += (bytes[index] < 16 ? "0" : "") + String(bytes[index], radix: 16) + " "
      } else {
        line += "   "
      }
    }
    line += " |"
    for byte in bytes.prefix(width) {
      line.append((0x20..<0x7F).contains(byte) ? Character(Unicode.Scalar(byte)) : ".")
    }
    return line + "|"
  }
}
