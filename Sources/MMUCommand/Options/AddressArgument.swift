import ArgumentParser
import Notation
import Paging
import X86

/// A virtual address, or `-` for addresses from standard input.
enum AddressArgument: ExpressibleByArgument {
  case address(GVA)
  case standardInput

  init?(argument: String) {
    if argument == "-" {
      self = .standardInput
    } else if let value = NumberNotation.integer(argument) {
      self = .address(GVA(value))
    } else {
      return nil
    }
  }

  /// All addresses, in order; standard input is read to its end where it is named.
  static func resolve(_ arguments: [AddressArgument]) throws -> [GVA] {
    var addresses: [GVA] = []
    for argument in arguments {
      switch argument {
      case .address(let address): addresses.append(address)
      case .standardInput:
        let input = try InputFile.readStandardInput()
        for (index, line) in input.split(
          separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false
        ).enumerated() {
          let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 || byte == 0x0D }
          var word = line.drop(while: isBlank)
          while let last = word.last, isBlank(last) { word.removeLast() }
          if word.isEmpty { continue }
          guard let value = NumberNotation.integer(utf8: word) else {
            let shown = String(decoding: word.prefix(40), as: UTF8.self)
            throw FileFailure(
              "-", line: index + 1, "'\(shown)' is not an address (hex with 0x, or decimal)")
          }
          addresses.append(GVA(value))
        }
      }
    }
    return addresses
  }
}
