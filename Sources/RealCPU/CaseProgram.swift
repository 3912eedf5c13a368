import AccessCases
import Paging
import X86

/// The instructions that make one access, and what its exceptions run into.
struct CaseProgram {
  /// The bytes.
  let code: [UInt8]
  /// Where the instruction behind the access lies, which is HLT. **Units** bytes from the start.
  let end: Int

  /// What is read, written and fetched: HLT where it is fetched, else a byte that zeroed memory is not.
  static let halt: UInt8 = 0xF4
  static let written: UInt8 = 0x5A
  static let found: UInt8 = 0xA7

  /// - Parameters:
  ///   - access: what is to be done, at the address in RBX, or in RSP for one of the stack.
  ///   - keys: PKRU, where CR4.PKE is set.
  init(_ access: X86Access, keys: UInt32?) {
    var code: [UInt8] = []
    if let keys {
      code += [0xB8] + (0..<4).map { UInt8(truncatingIfNeeded: keys >> ($0 * 8)) }  // MOV EAX
      code += [0x31, 0xC9, 0x31, 0xD2]  // XOR ECX, ECX; XOR EDX, EDX
      code += [0x0F, 0x01, 0xEF]  // WRPKRU
    }
    code += [0xB0, Self.written]  // MOV AL
    let operand: [UInt8] = access.isStack ? [0x04, 0x24] : [0x03]  // [RSP], [RBX]
    switch access.kind {
    case .read: code += [0x8A] + operand
    case .write: code += [0x88] + operand
    case .fetch: code += [0xFF, 0xE3]  // JMP RBX
    }
    end = code.count
    self.code = code + [Self.halt]
  }

  /// The bytes between two handlers in the kernel's code. **Units** bytes.
  static let handlerSize = 16
  /// Where the access lies in the kernel's code. **Units** bytes.
  static let kernelStart = 0x400

  /// The kernel's code: a HLT for each vector, so that RIP tells which came.
  static var handlers: [UInt8] {
    (0..<32).flatMap { _ in [halt] + Array(repeating: 0x90 as UInt8, count: handlerSize - 1) }
  }

  /// Whether an exception pushes an error code.
  static func hasErrorCode(_ vector: UInt64) -> Bool {
    [8, 10, 11, 12, 13, 14, 17, 21].contains(vector)
  }
}
