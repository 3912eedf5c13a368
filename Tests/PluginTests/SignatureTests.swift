import PluginHost
import Testing

@Suite("Signatures as text (SPEC H1)")
struct SignatureTests {
  @Test(
    "a signature prints in its canonical spelling",
    arguments: [
      ("u64(u32 maxphyaddr, u64 me_mask)", "u64(u32 maxphyaddr, u64 me_mask)"),
      (" void ( ) ", "void()"),
      ("void(void)", "void()"),
      ("{u64 value; u64 mask; u64 access;}(u32 a)", "{u64 value; u64 mask; u64 access;}(u32 a)"),
      ("{u64,u64 , u64}(u32 a);", "{u64,u64,u64}(u32 a)"),
      ("{u64;u64;}(u32 a)", "{u64,u64}(u32 a)"),
      ("bool(i8 a,i16 b,i32 c,i64 d)", "bool(i8 a, i16 b, i32 c, i64 d)"),
      ("f32(f64 x, ptr p, cstr s)", "f32(f64 x, ptr p, cstr s)"),
      ("void({u8 a; {u16 x; f32 y;} b;} s)", "void({u8 a; {u16 x; f32 y;} b;} s)"),
    ])
  func parses(text: String, canonical: String) throws {
    let signature = try Signature(parsing: text)
    #expect(signature.description == canonical)
    #expect(try Signature(parsing: canonical) == signature)
  }

  @Test(
    "a text that is no signature is refused at its place",
    arguments: [
      ("", 1, "a type"),
      ("u63(u32 a)", 1, "'u63' is not a type"),
      ("u64", 4, "'('"),
      ("u64(u32)", 8, "name"),
      ("u64(u32 a u32 b)", 11, "',' or ')'"),
      ("u64(u32 a, )", 12, "a type"),
      ("u64(u32 a, u64 a)", 16, "second parameter 'a'"),
      ("u64(u32 a", 10, "',' or ')'"),
      ("u64(u32 a) x", 12, "the end"),
      ("u64(void a)", 5, "cannot be void"),
      ("{}()", 2, "a type"),
      ("{u64 a; u32}()", 9, "all members have names or none"),
      ("{u64 a; u64 a}()", 9, "second member 'a'"),
      ("{void}()", 2, "a member cannot be void"),
      ("{u64 a u64 b}()", 8, "';', ',' or '}'"),
      ("{{{{{u8}}}}}()", 5, "nest deeper"),
      ("u64(u32 \u{e9})", 9, "byte 0xc3"),
      ("int(int a)", 1, "'int' is not a type"),
    ])
  func refuses(text: String, position: Int, reason: String) {
    let error = #expect(throws: SignatureError.self) { try Signature(parsing: text) }
    #expect(error?.position == position)
    #expect(error?.reason.contains(reason) == true, "\(error?.reason ?? "")")
  }

  @Test("texts, structs and parameter lists without bound are refused")
  func isBounded() {
    let parameters = (0..<33).map { "u8 p\($0)" }.joined(separator: ", ")
    let fields = Array(repeating: "u64", count: 33).joined(separator: ",")
    for text in [
      String(repeating: " ", count: 5000), String(repeating: "{", count: 2000),
      "void(\(parameters))", "{\(fields)}()",
      "{{\(Array(repeating: "u64", count: 30).joined(separator: ","))},{u64,u64,u64}}()",
    ] {
      #expect(throws: SignatureError.self) { try Signature(parsing: text) }
    }
  }

  @Test("every cut of a signature is refused or parses, and nothing traps")
  func truncations() throws {
    let text = "{u64 value; {u8,f32} mask;}(u32 maxphyaddr, cstr encoder, {u64,i8} s)"
    for length in 0..<text.count {
      #expect(throws: SignatureError.self) { try Signature(parsing: String(text.prefix(length))) }
    }
  }

  @Test("every hook's full signature parses to itself, and names are unique")
  func catalogue() throws {
    let names = HookDescriptor.all.map(\.name)
    #expect(Set(names).count == names.count)
    for name in [
      "mmio_spte_mask", "spte_layout", "memory_type", "mapping_level", "fault_policy",
      "gfn_access", "prefetch_window", "zap_policy", "flood_threshold", "nx_recovery",
      "mmio_read", "mmio_write", "on_event",
    ] {
      let hook = try #require(HookDescriptor.named(name))
      #expect(try Signature(parsing: hook.fullSignature.description) == hook.fullSignature)
    }
  }
}
