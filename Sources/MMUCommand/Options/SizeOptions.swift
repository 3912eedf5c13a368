import ArgumentParser
import Paging

/// How many bytes an access takes.
struct SizeOptions: ParsableArguments {
  @Option(help: "The bytes of the access, 1 to 16; it may cross a page.")
  var size = 1

  func validate() throws {
    guard (1...16).contains(size) else { throw ValidationError("--size is \(size) (1...16)") }
  }

  /// The first address of the access on each page that it touches, the lower page first.
  func parts(of first: GVA) -> [GVA] {
    let last = first.wrappingAdd(UInt64(size - 1))
    return first.frame == last.frame ? [first] : [first, last.roundedDown(to: .size4KiB)]
  }
}
