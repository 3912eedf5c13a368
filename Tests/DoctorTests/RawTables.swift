import GuestImage
import Paging
import X86

/// A small raw image whose tables a test writes word by word.
struct RawTables {
  var bytes: [UInt8]

  init(pages: Int) { bytes = [UInt8](repeating: 0, count: pages * 0x1000) }

  mutating func set(_ table: UInt64, _ index: Int, _ entry: UInt64) {
    let place = Int(table) + index * 8
    for byte in 0..<8 { bytes[place + byte] = UInt8(truncatingIfNeeded: entry >> UInt64(byte * 8)) }
  }

  mutating func put(_ text: String, at place: Int) {
    for (index, byte) in text.utf8.enumerated() { bytes[place + index] = byte }
  }

  /// Four-level paging with NX from a root.
  func space(cr3: UInt64) throws -> ImageAddressSpace {
    let image = try GuestImage(copying: bytes, as: .raw(base: GPA(0)))
    var given = RegisterValues()
    given.cr3 = cr3
    given.mode = .long4
    return try ImageAddressSpace(image, ImageRegisters(of: image, given: given))
  }

  /// Tables at 1, 2, 3 and 4 that map nothing yet: VA 0 to 2 MiB lies in the table at 0x4000.
  static func withPath(pages: Int = 16) -> RawTables {
    var tables = RawTables(pages: pages)
    tables.set(0x1000, 0, 0x2007)
    tables.set(0x2000, 0, 0x3007)
    tables.set(0x3000, 0, 0x4007)
    return tables
  }

  static var executeDisable: UInt64 { 1 << 63 }
}
