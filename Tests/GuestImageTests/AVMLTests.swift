import GuestImage
import Paging
import Testing

@Suite("AVML")
struct AVMLTests {
  /// One range whose stream is the given frames.
  private func range(_ first: UInt64, _ last: UInt64, _ frames: [[UInt8]]) -> [UInt8] {
    let magic = [0xFF, 6, 0, 0] + Array("sNaPpY".utf8)
    let stream = magic + frames.flatMap(\.self)
    return Array("AVML".utf8) + [2, 0, 0, 0] + bytes(first, 8) + bytes(last, 8) + bytes(0, 8)
      + stream + bytes(UInt64(stream.count), 8)
  }

  private func bytes(_ value: UInt64, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
  }

  private func frame(_ kind: UInt8, _ checksum: UInt32, _ data: [UInt8]) -> [UInt8] {
    [kind] + bytes(UInt64(data.count + 4), 3) + bytes(UInt64(checksum), 4) + data
  }

  /// CRC-32C bit by bit, masked.
  private func checksum(_ data: [UInt8]) -> UInt32 {
    var crc = UInt32.max
    for byte in data {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82F6_3B78 : crc >> 1 }
    }
    crc = ~crc
    return (crc >> 15 | crc << 17) &+ 0xA282_EAD8
  }

  /// "abcd", a copy of 11 bytes from 4 back, a literal "xy", and a copy of 64 from 2 back twice.
  private let block: [UInt8] =
    [0x91, 0x01] + [3 << 2] + Array("abcd".utf8) + [7 << 2 | 1, 4] + [1 << 2] + Array("xy".utf8)
    + [63 << 2 | 2, 2, 0] + [63 << 2 | 3, 2, 0, 0, 0]
  private var plain: [UInt8] {
    Array("abcdabcdabcdabcxy".utf8) + (0..<64).flatMap { _ in Array("xy".utf8) }
  }

  @Test("the checksum that these tests compute is the standard's")
  func checksumVector() {
    let crc: UInt32 = 0xE306_9283
    let masked = (crc >> 15 | crc << 17) &+ 0xA282_EAD8
    #expect(checksum(Array("123456789".utf8)) == masked)
  }

  @Test("compressed and plain frames are decoded, and ranges are placed by address")
  func framesAreDecoded() throws {
    let size = UInt64(plain.count)
    let second = Array("hello, world".utf8)
    let file =
      range(0x1000, 0x1000 + size - 1, [frame(0, checksum(plain), block)])
      + range(
        0x8000, 0x8000 + 11, [frame(0xFE, 0, [9, 9]), frame(1, checksum(second), second)])
    let image = try GuestImage(copying: file)
    #expect(image.format == .avml)
    #expect(image.segments.map(\.gpa) == [GPA(0x1000), GPA(0x8000)])
    #expect(image.read(GPA(0x1000), count: plain.count) == .success(plain))
    #expect(image.read(GPA(0x8000), count: 12) == .success(second))
    #expect(image.load(GPA(0x9000), as: UInt64.self) == .failure(ImageHole(GPA(0x9000))))
  }

  @Test("a checksum, a length or an offset that is wrong is an error that names the range")
  func damageIsNamed() {
    let size = UInt64(plain.count)
    func refused(_ file: [UInt8], _ words: String) {
      do throws(ImageError) {
        _ = try GuestImage(copying: file)
        Issue.record("\(words): accepted")
      } catch {
        #expect(error.description.contains(words), "\(error)")
      }
    }
    func whole(_ frames: [[UInt8]], last: UInt64? = nil) -> [UInt8] {
      range(0x1000, last ?? 0x1000 + size - 1, frames)
    }
    let good = frame(0, checksum(plain), block)
    refused(whole([frame(0, 1, block)]), "range 0 is damaged")
    refused(whole([good], last: 0x1000 + size), "range 0")
    refused(whole([good], last: 0x1000 + size - 2), "where \(size - 1) are told")
    refused(whole([frame(0, 0, [5, 0xFF])]), "damaged")
    refused(whole([frame(0, 0, [5, 1 << 2 | 1, 9])]), "from before the block")
    refused(whole([frame(0, 0, [0xFF, 0xFF, 0xFF, 0xFF, 0x7F])]), "a block of")
    refused(whole([frame(3, 0, [])]), "unknown kind 3")
    refused(Array(whole([good]).dropLast(3)), "the stream's size is not told")
    refused(range(0, .max, [good]), "passes the last address")
    refused(Array("AVML".utf8) + [3, 0, 0, 0] + bytes(0, 24), "version of AVML range 0 is 3")
  }

  @Test("files cut or changed anywhere never trap")
  func damagedFilesAreRefused() {
    let file = range(0x1000, 0x1000 + UInt64(plain.count) - 1, [frame(0, checksum(plain), block)])
    for length in 1..<file.count {
      let cut = Array(file[..<length])
      #expect(throws: ImageError.self) { try GuestImage(copying: cut, as: .avml) }
    }
    for index in file.indices {
      for value: UInt8 in [0, 1, 0x7F, 0x80, 0xFF] {
        var changed = file
        changed[index] = value
        _ = try? GuestImage(copying: changed, as: .avml)
      }
    }
  }
}
