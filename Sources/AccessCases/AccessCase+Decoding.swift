import Notation
import Paging
import X86

extension AccessCase: Decodable {
  fileprivate enum CodingKeys: String, CodingKey {
    case id, mode, cr0, cr3, cr4, efer, pkru, pkrs, maxphyaddr, memory, va, access, user, implicit
    case stack, cpu, expect
    case alignmentCheck = "rflags_ac"
  }

  /// Decodes a case; numbers are hex strings or integers, other keys are passed over.
  ///
  /// - Throws: `DecodingError` for what is missing, of the wrong type or out of range; also where the
  ///   registers do not select the case's mode.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    id = try container.decode(String.self, forKey: .id)
    mode = try container.named(.mode)
    registers = X86Registers(
      cr0: CR0(rawValue: try container.integer(.cr0)), cr3: try container.integer(.cr3),
      cr4: CR4(rawValue: try container.integer(.cr4)),
      efer: EFER(rawValue: try container.integer(.efer)),
      pkru: UInt32(try container.integerIfPresent(.pkru, in: 0...0xFFFF_FFFF) ?? 0),
      pkrs: UInt32(try container.integerIfPresent(.pkrs, in: 0...0xFFFF_FFFF) ?? 0))
    guard registers.mode == mode else {
      throw DecodingError.dataCorruptedError(
        forKey: .mode, in: container,
        debugDescription: "\(mode.rawValue), but cr0, cr4 and efer select"
          + " \(registers.mode.rawValue)")
    }
    let cpu = try container.decodeIfPresent(CaseProcessor.self, forKey: .cpu) ?? CaseProcessor()
    features = cpu.features(
      physicalAddressWidth: Int(try container.integerIfPresent(.maxphyaddr, in: 32...52) ?? 52))
    memory = try container.entries(.memory, of: mode)
    address = GVA(try container.integer(.va))
    access = X86Access(
      try container.access(), user: try container.flag(.user),
      implicit: try container.flag(.implicit),
      alignmentCheck: try container.flag(.alignmentCheck), stack: try container.flag(.stack))
    expectation = try container.expectation(of: mode)
  }
}

/// The keys of an expectation.
private enum ExpectationKeys: String, CodingKey {
  case isGranted = "ok"
  case pa, pageSize, vector, error
  case changed = "memory_after"
}

/// A key that is an address.
private struct AddressKey: CodingKey {
  let stringValue: String
  var intValue: Int? { nil }
  init(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}

extension KeyedDecodingContainer {
  fileprivate func named(_ key: Key) throws -> X86Mode {
    let name = try decode(String.self, forKey: key)
    guard let mode = X86Mode(rawValue: name) else {
      throw DecodingError.dataCorruptedError(
        forKey: key, in: self,
        debugDescription: "'\(name.prefix(40))' is not a mode (legacy32, pae, long4 or long5)")
    }
    return mode
  }

  /// Entries by address, each aligned and of the mode's width, none said twice.
  fileprivate func entries(_ key: Key, of mode: X86Mode) throws -> [UInt64: UInt64] {
    guard contains(key) else { return [:] }
    let container = try nestedContainer(keyedBy: AddressKey.self, forKey: key)
    let size = AccessCase.entrySize(mode)
    var entries: [UInt64: UInt64] = [:]
    for key in container.allKeys {
      func refuse(_ why: String) -> DecodingError {
        .dataCorruptedError(forKey: key, in: container, debugDescription: why)
      }
      guard let address = NumberNotation.integer(key.stringValue) else {
        throw refuse("not an address (hex with 0x, or decimal)")
      }
      guard address % size == 0 else { throw refuse("not a multiple of \(size)") }
      let value = try container.integer(key)
      guard size == 8 || value <= 0xFFFF_FFFF else { throw refuse("more than 32 bits") }
      guard entries.updateValue(value, forKey: address) == nil else { throw refuse("said twice") }
    }
    return entries
  }
}

extension KeyedDecodingContainer where K == AccessCase.CodingKeys {
  fileprivate func access() throws -> AccessKind {
    let name = try decode(String.self, forKey: .access)
    guard let kind = AccessKind.allCases.first(where: { $0.description == name }) else {
      throw DecodingError.dataCorruptedError(
        forKey: .access, in: self,
        debugDescription: "'\(name.prefix(40))' is not an access (read, write or fetch)")
    }
    return kind
  }

  fileprivate func expectation(of mode: X86Mode) throws -> AccessOutcome {
    let container = try nestedContainer(keyedBy: ExpectationKeys.self, forKey: .expect)
    let changed = try container.entries(.changed, of: mode)
    if try container.decode(Bool.self, forKey: .isGranted) {
      return AccessOutcome(
        .granted(
          GPA(try container.integer(.pa)),
          pageSize: try container.integerIfPresent(.pageSize) ?? 0), changed: changed)
    }
    guard let vector = try container.integerIfPresent(.vector, in: 0...31) else {
      throw DecodingError.keyNotFound(
        ExpectationKeys.vector,
        DecodingError.Context(codingPath: container.codingPath, debugDescription: ""))
    }
    let code = try container.integerIfPresent(.error, in: 0...0xFFFF_FFFF) ?? 0
    return AccessOutcome(
      .refused(vector: UInt8(vector), errorCode: UInt32(code)), changed: changed)
  }
}
