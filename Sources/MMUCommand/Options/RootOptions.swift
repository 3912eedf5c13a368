import ArgumentParser
import GuestImage
import Inspection
import Paging
import X86

/// Which roots a command looks at.
struct RootOptions: ParsableArguments {
  @Option(help: "A root, as in CR3; may be repeated (default: CR3 and all that are found).")
  var root: [Number] = []

  @Flag(help: "Look at the vCPU's own CR3 alone.")
  var ownRoot = false

  func validate() throws {
    if ownRoot, !root.isEmpty { throw ValidationError("--own-root and --root exclude each other") }
  }

  /// The address spaces, the vCPU's own first; roots of another mode are left out and said.
  func spaces(
    from own: ImageAddressSpace, _ found: [RootCandidate], named image: String
  ) throws -> [ImageAddressSpace] {
    if ownRoot { return [own] }
    var spaces: [ImageAddressSpace] = root.isEmpty ? [own] : []
    var seen: Set<GPA> = root.isEmpty ? [own.tableAddress] : []
    var others = 0
    let wanted = root.isEmpty ? found.map(\.root.rawValue) : root.map(\.value)
    for (index, cr3) in wanted.enumerated() {
      if root.isEmpty, found[index].mode != own.registers.mode {
        others += 1
        continue
      }
      let space: ImageAddressSpace
      do {
        space = try own.rooted(at: cr3)
      } catch {
        if root.isEmpty { continue }
        throw FileFailure(image, error)
      }
      if seen.insert(space.tableAddress).inserted { spaces.append(space) }
    }
    if others > 0 {
      StandardError.write(
        "mmu: note: \(others) roots of another mode than \(own.registers.mode.rawValue)"
          + " are left out")
    }
    return spaces
  }

  /// Whether roots are searched for.
  var searches: Bool { root.isEmpty && !ownRoot }
}
