import ArgumentParser
import Notation
import Paging
import X86

/// A number on the command line: hex with `0x`, or decimal.
struct Number: ExpressibleByArgument {
  let value: UInt64

  init?(argument: String) {
    guard let value = NumberNotation.integer(argument) else { return nil }
    self.value = value
  }
}

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

/// The paging modes that `--mode` takes.
enum ModeArgument: String, ExpressibleByArgument, CaseIterable {
  case legacy32, pae, long4, long5

  var mode: X86Mode {
    switch self {
    case .legacy32: .legacy32
    case .pae: .pae
    case .long4: .long4
    case .long5: .long5
    }
  }
}

/// The image formats that `--image-format` takes.
enum ImageFormatArgument: String, ExpressibleByArgument, CaseIterable {
  case elf, lime, avml, kdump, raw
}

/// The vendors that `--vendor` takes.
enum VendorArgument: String, ExpressibleByArgument, CaseIterable {
  case intel, amd

  var vendor: X86Features.Vendor {
    switch self {
    case .intel: .intel
    case .amd: .amd
    }
  }
}

/// The accesses that `--access` takes.
enum AccessArgument: String, ExpressibleByArgument, CaseIterable {
  case read, write, fetch

  var kind: AccessKind {
    switch self {
    case .read: .read
    case .write: .write
    case .fetch: .fetch
    }
  }
}
