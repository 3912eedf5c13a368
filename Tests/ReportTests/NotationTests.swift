import Notation
import Paging
import Report
import Testing

@Suite("Numbers and JSON lines")
struct NotationTests {
  @Test(
    "numbers are decimal or hex, never octal, and of 64 bits",
    arguments: [
      ("0", 0), ("4096", 4096), ("010", 10), ("0x1000", 4096), ("0Xff", 255),
      ("18446744073709551615", .max), ("0xffffffffffffffff", .max),
      ("18446744073709551616", nil), ("0x10000000000000000", nil), ("", nil), ("0x", nil),
      ("-1", nil), ("+1", nil), ("1f", nil), ("0b1", nil), (" 1", nil), ("٣", nil), ("4 KiB", nil),
    ] as [(String, UInt64?)])
  func integers(text: String, value: UInt64?) {
    #expect(NumberNotation.integer(text) == value)
  }

  @Test(
    "sizes take binary units",
    arguments: [
      ("4 KiB", 4096), ("4KiB", 4096), ("0x10 MiB", 16 << 20), ("3 GiB", 3 << 30),
      ("1 TiB", 1 << 40), ("7", 7), ("4  KiB", nil), ("KiB", nil), ("4 kB", nil),
      ("0xffffffffffffffff KiB", nil),
    ] as [(String, UInt64?)])
  func sizes(text: String, value: UInt64?) {
    #expect(NumberNotation.bytes(text) == value)
  }

  @Test("a line keeps the order of its keys and escapes text")
  func jsonLine() {
    var inner = JSONLine()
    inner.add("z", 1)
    var line = JSONLine()
    line.add("b", "a\"\\\n\u{1}ü")
    line.add("a", GPA(0x1F))
    line.addNull("n")
    line.add("t", true)
    line.add("o", inner)
    line.add("l", ["x", "y"])
    line.add("e", [JSONLine]())
    #expect(
      line.line
        == #"{"b":"a\"\\\n\u0001ü","a":"0x1f","n":null,"t":true,"o":{"z":1},"l":["x","y"],"e":[]}"#)
  }
}
