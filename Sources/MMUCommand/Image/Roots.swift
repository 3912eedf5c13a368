import ArgumentParser
import GuestImage
import Inspection
import Paging
import Report
import X86

/// `mmu roots IMAGE`: page-table roots, from memory alone.
struct Roots: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Finds page-table roots in an image that names none.",
    discussion: """
      Reads the image alone: no registers, no sidecar. With --json one object a root, best first: \
      {"root","mode","mappings","score","kernel","sharing","reasons"}; kernel tells the kernel's \
      reference table from those of processes.

      Examples:
        mmu roots guest.raw --json
      """)

  @OptionGroup var options: ImageOptions

  @Flag(help: "Print JSON Lines.")
  var json = false

  func run() throws {
    let roots = RootFinder(try options.openImage()).findShowingProgress()
    var output = StandardOutput()
    for root in roots {
      guard json else {
        try output.write(
          "\(root.root)  \(root.mode.rawValue)  score \(root.score)"
            + "  \(root.reasons.joined(separator: "; "))")
        continue
      }
      var line = JSONLine()
      line.add("root", root.root)
      line.add("mode", root.mode.rawValue)
      line.add("mappings", root.mappings)
      line.add("score", root.score)
      line.add("kernel", root.isKernelReference)
      line.add("sharing", root.sharing)
      line.add("reasons", root.reasons)
      try output.write(line)
    }
    try output.flush()
  }
}
