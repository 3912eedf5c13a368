import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// How far a long step is, drawn on the terminal that standard error is.
final class ProgressBar {
  private var isShown = false
  private static var width: Int { 40 }

  /// A bar, or `nil` where standard error is no terminal.
  init?() {
    guard isatty(FileDescriptor.standardError.rawValue) == 1 else { return nil }
  }

  /// Draws the bar over the last.
  func show(_ done: Int, of total: Int) {
    guard total > 0 else { return }
    let filled = Self.width * done / total
    let bar =
      String(repeating: "#", count: filled)
      + String(repeating: ".", count: Self.width - filled)
    put("\r[\(bar)] \(done) of \(total)")
    isShown = true
  }

  /// Takes the bar away.
  func clear() {
    if isShown { put("\r\u{1B}[K") }
    isShown = false
  }

  private func put(_ text: String) {
    _ = try? FileDescriptor.standardError.writeAll(text.utf8)
  }
}
