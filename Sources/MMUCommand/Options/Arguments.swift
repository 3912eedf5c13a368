import ArgumentParser
import Notation
import Paging
import X86

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
