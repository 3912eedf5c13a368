import ArgumentParser
import PluginHost
import Report

/// `mmu plugin list-hooks`.
struct PluginListHooks: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list-hooks",
    abstract: "Lists every hook: when it is asked, what it offers, what it returns.",
    discussion: """
      Examples:
        mmu plugin list-hooks --json
      """)

  @Flag(help: "Print JSON Lines: one object a hook.")
  var json = false

  @Flag(help: "Print the reference page, docs/hooks.md.")
  var markdown = false

  func run() throws {
    var output = StandardOutput()
    if markdown {
      for line in HookReference.lines { try output.write(line) }
      return try output.flush()
    }
    for hook in HookDescriptor.all {
      for line in json ? [jsonLine(hook)] : lines(hook) { try output.write(line) }
    }
    try output.flush()
  }

  private func lines(_ hook: HookDescriptor) -> [String] {
    ["\(hook.name): asked \(hook.asked)"]
      + ["  returns " + hook.returns.map(\.description).joined(separator: " or ")]
      + ["  \(hook.answer)"]
      + hook.parameters.map { "  \($0.type) \($0.name): \($0.meaning)" }
  }

  private func jsonLine(_ hook: HookDescriptor) -> String {
    var line = JSONLine()
    line.add("hook", hook.name)
    line.add("asked", hook.asked)
    line.add("answer", hook.answer)
    line.add("returns", hook.returns.map(\.description).joined(separator: " | "))
    line.add("signature", hook.fullSignature.description)
    return line.line
  }
}
