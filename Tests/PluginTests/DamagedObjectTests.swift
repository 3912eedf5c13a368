import Foundation
import PluginHost
import Testing

@Suite("Damaged shared objects never reach the loader (SPEC H2)")
struct DamagedObjectTests {
  let workshop: Workshop
  let path: String
  let bytes: [UInt8]

  init() throws {
    workshop = try Workshop()
    path = try workshop.build(PluginSource.good.text)
    bytes = Array(try Data(contentsOf: URL(filePath: path)))
  }

  private func number<T: FixedWidthInteger>(_ offset: Int, _ type: T.Type) -> Int {
    (0..<MemoryLayout<T>.size).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) }
  }

  /// The end of the last loaded segment in the file.
  private var loadedEnd: Int {
    let table = number(32, UInt64.self)
    return (0..<number(56, UInt16.self)).map { table + 56 * $0 }
      .filter { number($0, UInt32.self) == 1 }
      .map { number($0 + 8, UInt64.self) + number($0 + 32, UInt64.self) }.max() ?? 0
  }

  @Test("a file cut anywhere before the end of its last segment is refused; behind that it loads")
  func truncated() throws {
    let end = loadedEnd
    #expect(end > 0x1000 && end < bytes.count)
    var lengths =
      Array(0...128) + [
        number(32, UInt64.self) + 56, 0xFFF, 0x1000, 0x1001, 0x2000, 0x2001, 0x3000, end - 4096,
        end - 8, end - 1,
      ]
    lengths += stride(from: 129, to: end, by: 97)
    for length in lengths where length < end {
      let cut = try workshop.write(Array(bytes[..<length]), to: "cut.so")
      let error = #expect(throws: PluginError.self, "\(length) bytes") { try Plugin(path: cut) }
      guard case .notSharedObject = error else {
        Issue.record("\(length): \(String(describing: error))")
        return
      }
    }
    for length in [end, end + 1, bytes.count] {
      let cut = try workshop.write(Array(bytes[..<length]), to: "cut\(length).so")
      #expect(try Plugin(path: cut).name == "test", "\(length) bytes")
    }
  }

  @Test("300 random changes of headers and dynamic section are judged without a trap")
  func mutated() throws {
    var random = SplitMix(state: 0x5EED)
    let headers = number(32, UInt64.self) + 56 * number(56, UInt16.self)
    var refused = 0
    for round in 0..<300 {
      var changed = bytes
      for _ in 0...Int(random.next() % 3) {
        let place = Int(random.next() % UInt64(headers))
        // Whole words as well: lengths and offsets near 2^64.
        let word = random.next() % 4 == 0
        for index in place..<min(place + (word ? 8 : 1), headers) {
          changed[index] = word ? 0xFF : UInt8(truncatingIfNeeded: random.next())
        }
      }
      let file = try workshop.write(changed, to: "mutated.so")
      do {
        try checkSharedObject(path: file)
      } catch {
        guard case .notSharedObject = error else {
          Issue.record("round \(round): \(error)")
          return
        }
        #expect(!error.description.contains("\n"))
        refused += 1
      }
    }
    #expect(refused > 100)
  }

  @Test(
    "a header that says something else is named",
    arguments: [
      (4, 1, "class 1"), (5, 2, "data 2"), (16, 2, "type 2"), (18, 8, "machine 8"),
      (54, 55, "program headers of 55"), (56, 0, "0 program headers"),
    ])
  func header(offset: Int, value: UInt8, says: String) throws {
    var changed = bytes
    changed[offset] = value
    let file = try workshop.write(changed, to: "changed.so")
    let error = #expect(throws: PluginError.self) { try checkSharedObject(path: file) }
    #expect(error?.description.contains(says) == true, "\(String(describing: error))")
  }

  @Test("tables of the dynamic section that point outside every segment are refused")
  func dynamic() throws {
    let table = number(32, UInt64.self)
    let header = try #require(
      (0..<number(56, UInt16.self)).map { table + 56 * $0 }
        .first { number($0, UInt32.self) == 2 })
    let start = number(header + 8, UInt64.self)
    let count = number(header + 32, UInt64.self) / 16
    var tried = 0
    for index in 0..<count {
      let entry = start + 16 * index
      // DT_STRTAB, DT_SYMTAB, DT_RELA, DT_INIT, DT_FINI, DT_INIT_ARRAY
      guard [5, 6, 7, 12, 13, 25].contains(number(entry, UInt64.self)) else { continue }
      var changed = bytes
      for byte in 8..<16 { changed[entry + byte] = 0x7F }
      let file = try workshop.write(changed, to: "dynamic.so")
      let error = #expect(throws: PluginError.self) { try checkSharedObject(path: file) }
      #expect(error?.description.contains("lies in no segment") == true)
      tried += 1
    }
    #expect(tried >= 4)
  }
}

/// A small random source with a fixed seed.
struct SplitMix {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
