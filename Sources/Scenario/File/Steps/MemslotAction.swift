public import Paging

/// A change of the memslots; slots are known by their first byte.
public enum MemslotAction: Sendable {
  /// A new slot of zeroed memory, or of none.
  case add(MachineSpec.Region)
  /// The slot goes; its memory stays unused.
  case remove(GPA)
  /// The slot's memory is shown elsewhere.
  case move(GPA, to: GPA)
  /// The slot becomes read-only, or writable.
  case flags(GPA, isReadOnly: Bool)
}

extension MemslotAction {
  init(_ body: YAMLValue) throws(ScenarioError) {
    var map = try body.mapping("memslot")
    let (name, value) = try map.needOne(of: ["add", "remove", "move", "flags"], "a change")
    try map.finish()
    if name == "add" {
      let region = try MachineSpec.Region(value)
      guard !region.isSystemManagement else {
        throw value.error("a slot that is added is seen in every mode")
      }
      switch region.content {
      case .ram, .none: self = .add(region)
      case .image, .device, .pluginDevice:
        throw value.error("a slot that is added holds ram or none")
      }
      return
    }
    var change = try value.mapping("memslot-\(name)")
    let gpa = try change.page("gpa")
    switch name {
    case "remove": self = .remove(gpa)
    case "move": self = .move(gpa, to: try change.page("to"))
    default: self = .flags(gpa, isReadOnly: try change.need("readonly").flag())
    }
    try change.finish()
  }
}
