import Report

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Whether people look at an output.
enum Terminal {
  /// Colours on standard output: where it is a terminal that can, and nobody has set NO_COLOR.
  static let style = TextStyler(
    isOn: isStandardOutput && variable("NO_COLOR").isEmpty && variable("TERM") != "dumb")

  private static func variable(_ name: String) -> String {
    // SAFETY: nothing in this program changes its environment; the text is copied at once.
    guard let value = unsafe getenv(name) else { return "" }
    return unsafe String(cString: value)
  }

  /// Standard output is a terminal.
  static var isStandardOutput: Bool { isatty(1) == 1 }
  /// Standard error is a terminal.
  static var isStandardError: Bool { isatty(2) == 1 }
}
