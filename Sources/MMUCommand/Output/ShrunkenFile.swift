#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Ends the program in one line, status 2, where a file that it has mapped became shorter meanwhile: a
/// page that the file has lost cannot be read, and the system says so by a signal.
enum ShrunkenFile {
  static func watch() {
    _ = signal(SIGBUS) { _ in
      // What a signal handler may call is little: write and _exit are among it.
      let line: StaticString =
        "mmu: a file became shorter while it was in use (its size is to stay)\n"
      // SAFETY: a string constant and its length.
      _ = unsafe write(STDERR_FILENO, line.utf8Start, line.utf8CodeUnitCount)
      _exit(2)
    }
  }
}
