public import MMU
public import Paging
import Report

/// What the host does to the tables while its guests run; slots are known by their first byte.
public enum MaintenanceAction: Sendable {
  /// Begins to record which pages of a slot are written.
  case startDirtyLog(GPA, DirtyMethod, isInitiallySet: Bool, splitPages: Int)
  /// Looks at the written pages; clean from now on if wanted.
  case dirtyPages(GPA, clearing: Bool)
  /// Ends the recording.
  case stopDirtyLog(GPA)
  /// Counts the leaves of a range that were used, and forgets it if wanted.
  case age(GPA, byteCount: UInt64, clearing: Bool)
  /// Takes a range's leaves away, as when the host moves the pages behind it.
  case hostUnmap(GPA, byteCount: UInt64)
  /// One period's recovery of large pages that gave way to fetches.
  case recoverNXHugePages

  /// The step's word.
  var name: ActionName {
    switch self {
    case .startDirtyLog, .dirtyPages, .stopDirtyLog: .dirtyLog
    case .age: .age
    case .hostUnmap: .hostUnmap
    case .recoverNXHugePages: .nxRecovery
    }
  }

  /// The step, in words.
  var inWords: String {
    switch self {
    case .startDirtyLog(let gpa, let method, let isInitiallySet, _):
      "dirty log of the slot at GPA \(gpa): start, \(method.rawValue)"
        + (isInitiallySet ? ", initially set" : "")
    case .dirtyPages(let gpa, let clearing):
      "dirty log of the slot at GPA \(gpa): \(clearing ? "get and clear" : "get")"
    case .stopDirtyLog(let gpa): "dirty log of the slot at GPA \(gpa): stop"
    case .age(let gpa, let count, let clearing):
      "age GPA \(gpa), \(count.hex) bytes\(clearing ? "" : ", only looking")"
    case .hostUnmap(let gpa, let count): "the host unmaps GPA \(gpa), \(count.hex) bytes"
    case .recoverNXHugePages: "large pages that gave way to fetches come back"
    }
  }
}

extension MaintenanceAction {
  init(_ name: ActionName, _ body: YAMLValue) throws(ScenarioError) {
    var map = try body.mapping(name.rawValue)
    switch name {
    case .dirtyLog:
      let (verb, value) = try map.needOne(of: ["start", "get", "clear", "stop"], "dirty-log")
      try map.finish()
      var inner = try value.mapping("dirty-log-\(verb)")
      let gpa = try inner.page("gpa")
      switch verb {
      case "start":
        self = .startDirtyLog(
          gpa, try inner.take("method")?.choice(of: DirtyMethod.self) ?? .writeProtect,
          isInitiallySet: try inner.take("initially-set")?.flag() ?? false,
          splitPages: try inner.take("split-pages")?.number(0...1 << 20).asInt ?? 0)
      case "stop": self = .stopDirtyLog(gpa)
      default: self = .dirtyPages(gpa, clearing: verb == "clear")
      }
      try inner.finish()
    case .age:
      let (gpa, size) = (try map.page("gpa"), try map.need("size").number(1...1 << 46))
      let clearing = try map.take("clear")?.flag() ?? true
      self = .age(gpa, byteCount: size, clearing: clearing)
      try map.finish()
    case .nxRecovery:
      self = .recoverNXHugePages
      try map.finish()
    default:
      let (gpa, size) = (try map.page("gpa"), try map.need("size").number(1...1 << 46))
      self = .hostUnmap(gpa, byteCount: size)
      try map.finish()
    }
  }
}
