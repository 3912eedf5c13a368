import ArgumentParser
import GuestImage
import Inspection
import Paging
import Report
import X86

/// `mmu rmap`.
struct ReverseMap: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rmap",
    abstract: "Says which virtual addresses of which roots map a guest-physical address.",
    discussion: """
      Looks at the vCPU's CR3 and at every root of its mode that is found in the image. A page that \
      is itself a page table is told as such.

      Examples:
        mmu rmap guest.core 0x9e2d000
      """)

  @OptionGroup var options: ImageOptions
  @OptionGroup var roots: RootOptions

  @Argument(help: "The guest-physical addresses.")
  var addresses: [Number]

  @Flag(help: "Print JSON Lines: one object a use; a null root where there is none.")
  var json = false

  func run() throws {
    let own = try options.openAddressSpace()
    let found = roots.searches ? RootFinder(own.image).findShowingProgress() : []
    let spaces = try roots.spaces(from: own, found, named: options.image)
    let targets = addresses.map { GPA($0.value) }
    var uses: [FrameUse] = []
    var budget = VisitBudget()
    var isComplete = true
    for space in spaces {
      let isDone = Inspection.ReverseMap.uses(of: targets, in: space, &budget) { uses.append($0) }
      isComplete = isComplete && isDone
    }
    var output = StandardOutput()
    for target in targets {
      let mine = uses.filter { $0.gpa == target }
      for use in mine { try output.write(json ? object(for: use).line : text(for: use)) }
      if mine.isEmpty { try output.write(unused(target)) }
    }
    try output.flush()
    if !isComplete {
      StandardError.write("mmu: note: the tables map more than can be visited: uses may be missing")
      throw ExitCode(1)
    }
  }

  private func text(for use: FrameUse) -> String {
    let what =
      use.role == .page
      ? "\(use.size) page \(use.permissions)" : "as a table of level \(use.level)"
    return "\(use.gpa) <- \(use.gva) in root \(use.root), \(what)"
  }

  private func object(for use: FrameUse) -> JSONLine {
    var line = JSONLine()
    line.add("gpa", use.gpa)
    line.add("root", use.root)
    line.add("va", use.gva)
    line.add("use", use.role.rawValue)
    line.add("level", use.level.rawValue)
    line.add("size", hex: use.size.bytes)
    line.add("permissions", use.permissions.description)
    return line
  }

  private func unused(_ target: GPA) -> String {
    guard json else { return "\(target) is mapped by no root that was looked at" }
    var line = JSONLine()
    line.add("gpa", target)
    line.addNull("root")
    return line.line
  }
}
