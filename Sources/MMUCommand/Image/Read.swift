import ArgumentParser
import GuestImage
import Notation
import Paging
import SystemPackage

/// `mmu read`.
struct Read: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Reads virtual memory of an image: a hexdump on a terminal, raw bytes elsewhere.",
    discussion: """
      Nothing is written unless every byte can be read: an address without a translation, or whose \
      page or table is not in the image, is named and the status is 2. --zero-holes reads such \
      pages as zeros and says how many there were.

      Examples:
        mmu read guest.core 0xffffffff81000000 256 --hex
        mmu read guest.core 0x400000 "64 KiB" > code.bin
      """)

  @OptionGroup var options: ImageOptions

  @Argument(help: "The first virtual address.")
  var address: Number

  @Argument(help: "How many bytes.")
  var length: ByteCount

  @Option(help: "Write the bytes to this file.")
  var output: String?

  @Flag(help: "Read what cannot be read as zeros.")
  var zeroHoles = false

  @Flag(help: "Print a hexdump even where the output is no terminal.")
  var hex = false

  @Flag(help: "Write raw bytes even to a terminal.")
  var raw = false

  func validate() throws {
    if hex, raw || output != nil {
      throw ValidationError("--hex excludes --raw and --output")
    }
    if length.value > 0, GVA(address.value).adding(length.value - 1) == nil {
      throw ValidationError("the range passes the last address (2^64 - 1)")
    }
  }

  func run() throws {
    let space = try options.openAddressSpace()
    let first = GVA(address.value)
    if !zeroHoles, let hole = space.firstHole(from: first, count: length.value) {
      throw FileFailure(options.image, hole)
    }
    var sink = try ByteSink(
      file: output, asHexdump: hex || (!raw && output == nil && Terminal.isStandardOutput),
      from: first)
    var holes = 0
    try space.forEachPiece(from: first, count: length.value) { (piece: VirtualPiece) in
      let count = Int(piece.count)
      switch piece.place {
      case .success(let gpa):
        switch space.image.read(gpa, count: count) {
        case .success(let bytes): try sink.write(bytes)
        case .failure(let hole): throw FileFailure(options.image, hole)
        }
      case .failure:
        holes += 1
        try sink.write([UInt8](repeating: 0, count: count))
      }
    }
    try sink.finish()
    if holes > 0 {
      StandardError.write("mmu: note: \(holes) pages cannot be read and are written as zeros")
    }
  }
}

/// A number of bytes on the command line, with a unit if wanted.
struct ByteCount: ExpressibleByArgument {
  let value: UInt64

  init?(argument: String) {
    guard let value = NumberNotation.bytes(argument) else { return nil }
    self.value = value
  }
}
