import PluginHost

/// The reference page of the hooks, made of their catalogue.
enum HookReference {
  /// The page, line by line.
  static var lines: [String] {
    var lines = [
      "# Hooks", "",
      "<!-- Made by `mmu plugin list-hooks --markdown`; a test compares. -->", "",
      "What a plugin can answer. A function takes any of a hook's parameters, by name and in any order,",
      "and returns one of the types given. [How to write one](plugins.md).", "",
      "| hook | asked |", "|---|---|",
    ]
    lines += HookDescriptor.all.map { "| [`\($0.name)`](#\($0.name)) | \($0.asked) |" }
    for hook in HookDescriptor.all {
      lines += ["", "## \(hook.name)", "", "Asked \(hook.asked). The answer: \(hook.answer).", ""]
      lines += ["Returns " + hook.returns.map { "`\($0)`" }.joined(separator: " or ") + ".", ""]
      lines += ["| parameter | type | says |", "|---|---|---|"]
      lines += hook.parameters.map { "| `\($0.name)` | `\($0.type)` | \($0.meaning) |" }
    }
    return lines
  }
}
