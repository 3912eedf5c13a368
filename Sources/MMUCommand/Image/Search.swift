import ArgumentParser
import GuestImage
import Inspection
import Notation
import Paging
import Report
import X86

/// `mmu search`.
struct Search: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Finds bytes or a text in the virtual memory of an image, through its page tables.",
    discussion: """
      The bytes are pairs of hex digits, with blanks between them if wanted; --text takes the \
      argument as text. A match may cross pages that follow each other. Pages that the image does \
      not hold are passed over.

      Examples:
        mmu search guest.core --text "Linux version"
        mmu search guest.core '0f 05'
      """)

  @OptionGroup var options: ImageOptions

  @Argument(help: "The bytes in hex, or with --text the text.")
  var pattern: String

  @Flag(help: "The pattern is a text (UTF-8).")
  var text = false

  @Flag(help: "Search user pages alone.")
  var userOnly = false

  @Option(help: "Stop after this many matches.")
  var limit: Int?

  @Flag(help: "Print JSON Lines.")
  var json = false

  func validate() throws {
    if bytes == nil {
      throw ValidationError(
        "'\(pattern.prefix(40))' is not pairs of hex digits (--text searches for a text)")
    }
    if bytes?.isEmpty == true { throw ValidationError("the pattern is empty") }
    if let limit, limit < 1 { throw ValidationError("--limit is \(limit) (1 or more)") }
  }

  /// The bytes to be found.
  private var bytes: [UInt8]? {
    if text { return Array(pattern.utf8) }
    let digits = Array(pattern.utf8.filter { $0 != UInt8(ascii: " ") })
    guard digits.count.isMultiple(of: 2) else { return nil }
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: digits.count, by: 2) {
      let pair = [UInt8(ascii: "0"), UInt8(ascii: "x")] + digits[index..<index + 2]
      guard let value = NumberNotation.integer(utf8: pair[...]) else { return nil }
      bytes.append(UInt8(truncatingIfNeeded: value))
    }
    return bytes
  }

  func run() throws {
    guard let bytes else { return }
    let space = try options.openAddressSpace()
    let pages: [MappedPage]
    do throws(MapError) {
      pages = try AddressSpaceMap<MappedPage>(of: space).elements
    } catch {
      throw FileFailure(options.image, error)
    }
    var lines: [String] = []
    var count = 0
    let bar = ProgressBar("searching")
    let search = VirtualSearch(for: bytes, userOnly: userOnly)
    var output = StandardOutput()
    let end = search.run(pages, in: space.image, progress: bar.show) { match in
      lines.append(line(for: match, in: space))
      count += 1
      return limit.map { count < $0 } ?? true
    }
    bar.clear()
    for line in lines { try output.write(line) }
    try output.flush()
    if end == .exhausted {
      StandardError.write(
        "mmu: note: the tables map the image more than 64 times over; the rest was not searched")
      throw ExitCode(1)
    }
  }

  private func line(for match: VirtualSearch.Match, in space: ImageAddressSpace) -> String {
    let place = try? space.piece(at: match.gva, limit: 1).place.get()
    guard json else {
      return "\(match.gva)  \(match.permissions)" + (place.map { "  GPA \($0)" } ?? "")
    }
    var line = JSONLine()
    line.add("va", match.gva)
    if let place { line.add("gpa", place) } else { line.addNull("gpa") }
    line.add("permissions", match.permissions.description)
    return line.line
  }
}
