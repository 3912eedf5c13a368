/// A file that the user named, or its contents, is bad: one line on standard error and exit 2.
struct FileFailure: Error, CustomStringConvertible {
  /// `mmu: FILE: what is wrong`, or `mmu: FILE:LINE: what is wrong`.
  let description: String
  /// What is wrong, without the file.
  let message: String

  init(_ file: String, line: Int? = nil, _ what: some CustomStringConvertible) {
    message = what.description
    description = "mmu: \(file):\(line.map { "\($0):" } ?? "") \(what)"
  }
}
