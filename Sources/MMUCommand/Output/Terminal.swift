#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Whether people look at an output.
enum Terminal {
  /// Standard output is a terminal.
  static var isStandardOutput: Bool { isatty(1) == 1 }
  /// Standard error is a terminal.
  static var isStandardError: Bool { isatty(2) == 1 }
}
