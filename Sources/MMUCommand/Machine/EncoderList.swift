import ArgumentParser
import Paging
import Report
import Scenario

/// Encoders that a scenario is run with, one after the other.
struct EncoderList {
  private let names: [(name: String, encoder: EncoderName)]

  /// Reads names with commas between them; `legacy` is `shadow` by its older name.
  init(_ text: String) throws {
    names = try text.split(separator: ",", omittingEmptySubsequences: false).map { name in
      guard let encoder = EncoderName(rawValue: name == "legacy" ? "shadow" : String(name)) else {
        throw ValidationError("'\(name)' is no encoder (legacy, shadow, ept, npt, tdx)")
      }
      return (String(name), encoder)
    }
  }

  /// Runs a scenario on each.
  ///
  /// - Throws: `FileFailure`: the file or a plugin is bad. A machine that cannot be composed with an
  ///   encoder is a result.
  func bakeoff(_ path: String) throws -> EncoderBakeoff {
    var result = EncoderBakeoff()
    // What is wrong with the file itself is wrong with every encoder.
    let width = try LoadedScenario(path).runner.physicalAddressWidth
    for (name, encoder) in names {
      let abilities = EncoderAbilities(try encoder.encoder(.standard, width: width))
      guard let kind = MachineSpec.MMUKind(rawValue: encoder.rawValue) else {
        result.add(name, abilities, refused: "no machine is composed with it")
        continue
      }
      do {
        let (once, again) = try (LoadedScenario(path, mmu: kind), LoadedScenario(path, mmu: kind))
        result.add(name, abilities, once.runner, again: again.runner)
        if let refusal = once.plugins.firstRefusal { throw FileFailure(plugin: refusal) }
      } catch let failure as FileFailure {
        result.add(name, abilities, refused: failure.message)
      }
    }
    return result
  }
}
