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
