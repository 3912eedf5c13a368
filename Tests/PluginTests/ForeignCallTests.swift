import PluginHost
import Testing

@Suite("Calls through libffi (SPEC H1)")
struct ForeignCallTests {
  let path: String
  let workshop: Workshop

  init() throws {
    workshop = try Workshop()
    path = try workshop.build(
      """
      #include <stdbool.h>
      #include <stdint.h>
      #include <string.h>
      bool not(bool x) { return !x; }
      int8_t i8(int8_t x) { return x - 1; }
      int16_t i16(int16_t x) { return x - 1; }
      int32_t i32(int32_t x) { return x - 1; }
      int64_t i64(int64_t x) { return x - 1; }
      uint8_t u8(uint8_t x) { return x + 1; }
      uint16_t u16(uint16_t x) { return x + 1; }
      uint32_t u32(uint32_t x) { return x + 1; }
      uint64_t u64(uint64_t x) { return x + 1; }
      float f32(float x) { return x / 2; }
      double f64(double x) { return x / 4; }
      void *ptr(void *x) { return (char *)x + 16; }
      uint64_t cstr(const char *x) { return strlen(x); }
      static int calls;
      void nothing(void) { calls++; }
      int32_t counted(void) { return calls; }
      double mix(int8_t a, uint64_t b, float c, double d, bool e, int16_t f, uint32_t g, int64_t h,
                 uint8_t i, float j) {
        return a + (double)b * 2 + c * 4 + d * 8 + e * 16 + f * 32 + (double)g * 64 + (double)h * 128
          + i * 256 + j * 512;
      }
      struct tiny { uint8_t a; uint8_t b; };
      struct tiny tiny(struct tiny x) { return (struct tiny){x.b, x.a}; }
      struct odd { uint8_t a; uint32_t b; uint8_t c; };
      struct odd odd(struct odd x) { return (struct odd){x.c, ~x.b, x.a}; }
      struct real { double a; float b; };
      struct real real(struct real x) { return (struct real){x.b, (float)x.a}; }
      struct inner { uint16_t a; double b; };
      struct nested { uint8_t a; struct inner b; int64_t c; };
      struct nested nested(uint32_t before, struct nested x, uint32_t after) {
        x.a += before; x.b.a++; x.b.b *= 2; x.c = -x.c + after; return x;
      }
      struct big { uint64_t w[8]; };
      struct big big(struct big x) { for (int i = 0; i < 8; i++) x.w[i] ^= i; return x; }
      """)
  }

  private func call(
    _ symbol: String, _ signature: String, _ values: CValue...
  ) throws -> CValue {
    try ForeignFunction.open(
      path: path, symbol: symbol, signature: Signature(parsing: signature)
    ).call(values)
  }

  @Test(
    "numbers of every width go in and come out, sign and width kept",
    arguments: [
      ("not", "bool", 0, 1), ("not", "bool", 1, 0),
      ("i8", "i8", 0x80, 0x7F), ("i8", "i8", 0, 0xFF), ("u8", "u8", 0xFF, 0),
      ("i16", "i16", 0, 0xFFFF), ("u16", "u16", 0xFFFF, 0), ("i16", "i16", 0x8000, 0x7FFF),
      ("i32", "i32", 0, 0xFFFF_FFFF), ("u32", "u32", 0xFFFF_FFFF, 0),
      ("u32", "u32", 0x7FFF_FFFF, 0x8000_0000),
      ("i64", "i64", 0, UInt64.max), ("u64", "u64", UInt64.max, 0),
      ("u64", "u64", 0xFFFF_FFFF, 0x1_0000_0000), ("ptr", "ptr", 0x1000, 0x1010),
    ] as [(String, String, UInt64, UInt64)])
  func integers(symbol: String, type: String, given: UInt64, expected: UInt64) throws {
    #expect(try call(symbol, "\(type)(\(type) x)", .integer(given)) == .integer(expected))
  }

  @Test("float, double, strings and nothing")
  func others() throws {
    #expect(try call("f32", "f32(f32 x)", .f32(3)) == .f32(1.5))
    #expect(try call("f64", "f64(f64 x)", .f64(-1)) == .f64(-0.25))
    let length = try unsafe "h\u{e9}llo".withCString {
      try call("cstr", "u64(cstr x)", .integer(UInt64(UInt(bitPattern: $0))))
    }
    #expect(length == .integer(6))
    let counted = try ForeignFunction.open(
      path: path, symbol: "counted", signature: Signature(parsing: "i32()"))
    #expect(try call("nothing", "void()") == .void)
    #expect(counted.call([]) == .integer(1))
  }

  @Test("ten parameters of mixed classes, in registers and on the stack")
  func mixed() throws {
    let result = try call(
      "mix", "f64(i8 a, u64 b, f32 c, f64 d, bool e, i16 f, u32 g, i64 h, u8 i, f32 j)",
      .integer(0xFF), .integer(3), .f32(0.5), .f64(0.25), .integer(1), .integer(0xFFFE),
      .integer(0xFFFF_FFFF), .integer(UInt64(bitPattern: -2)), .integer(255), .f32(1.5))
    let small = -1.0 + 6 + 2 + 2 + 16 - 64
    #expect(result == .f64(small + 4_294_967_295.0 * 64 - 256 + 65280 + 768))
  }

  @Test("structs by value: small, padded, of reals, nested, in memory")
  func structs() throws {
    let tiny = CValue.structure([.integer(1), .integer(2)])
    #expect(
      try call("tiny", "{u8,u8}({u8,u8} x)", tiny) == .structure([.integer(2), .integer(1)]))
    let odd = CValue.structure([.integer(1), .integer(0xFFFF_0000), .integer(3)])
    #expect(
      try call("odd", "{u8 a; u32 b; u8 c;}({u8,u32,u8} x)", odd)
        == .structure([.integer(3), .integer(0xFFFF), .integer(1)]))
    #expect(
      try call("real", "{f64,f32}({f64,f32} x)", .structure([.f64(2), .f32(5)]))
        == .structure([.f64(5), .f32(2)]))
    let nested = CValue.structure([
      .integer(7), .structure([.integer(8), .f64(1.5)]), .integer(10),
    ])
    let type = "{u8,{u16,f64},i64}"
    #expect(
      try call("nested", "\(type)(u32 b, \(type) x, u32 a)", .integer(3), nested, .integer(4))
        == .structure([
          .integer(10), .structure([.integer(9), .f64(3)]), .integer(UInt64(bitPattern: -6)),
        ]))
    let words = (0..<8).map { UInt64($0) << 60 }
    let big = "{" + Array(repeating: "u64", count: 8).joined(separator: ",") + "}"
    #expect(
      try call("big", "\(big)(\(big) x)", .structure(words.map { .integer($0) }))
        == .structure(words.enumerated().map { .integer($1 ^ UInt64($0)) }))
  }
}
