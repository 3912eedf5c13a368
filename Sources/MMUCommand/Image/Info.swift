import ArgumentParser
import GuestImage
import Paging
import Report
import X86

/// `mmu info`.
struct Info: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Tells what an image holds: format, segments, vCPUs, mode and who told it.",
    discussion: """
      Examples:
        mmu info guest.core
      """)

  @OptionGroup var options: ImageOptions

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    let image = try options.openImage()
    let sidecar = try options.sidecar()
    var resolved: ImageRegisters?
    var problem: ImageError?
    do throws(ImageError) {
      resolved = try ImageRegisters(
        of: image, cpu: options.cpu, given: options.given, sidecar: sidecar)
    } catch .noCR3 {
      problem = .noCR3
    } catch .notX86(let machine) {
      problem = .notX86(machine: machine)
    } catch {
      throw FileFailure(options.image, error)
    }
    let report = ImageReport(
      name: options.image, image: image, registers: resolved, problem: problem,
      source: source(image, sidecar, resolved))
    var output = StandardOutput()
    if json {
      try output.write(report.json)
    } else {
      for line in report.text { try output.write(line) }
    }
    try output.flush()
  }

  /// Who said the mode.
  private func source(
    _ image: GuestImage, _ sidecar: RegisterValues, _ resolved: ImageRegisters?
  ) -> String {
    let given = options.given
    if given.mode != nil || given.efer != nil || given.cr0 != nil { return "flags" }
    if sidecar.mode != nil || sidecar.efer != nil { return "sidecar" }
    guard let resolved, resolved.registers.mode != .none else { return "CR0" }
    return image.isLive ? "image" : "assumed"
  }
}
