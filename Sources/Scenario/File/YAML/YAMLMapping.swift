import Paging

/// A mapping whose keys are taken one by one; what is left at the end is unknown.
struct YAMLMapping {
  private let name: String
  private var pairs: [(key: String, value: YAMLValue)]
  /// The line, from 1.
  let line: Int
  private var asked: [String] = []

  init(name: String, pairs: [(key: String, value: YAMLValue)], line: Int) {
    self.name = name
    self.pairs = pairs
    self.line = line
  }

  /// Takes a key, if it is there.
  mutating func take(_ key: String) -> YAMLValue? {
    asked.append(key)
    DecodingLog.current?.asked(name, key)
    guard let index = pairs.firstIndex(where: { $0.key == key }) else { return nil }
    return pairs.remove(at: index).value
  }

  /// Takes a key that must be there.
  mutating func need(_ key: String) throws(ScenarioError) -> YAMLValue {
    DecodingLog.current?.needed(name, key)
    guard let value = take(key) else {
      throw ScenarioError(line: line, "the key '\(key)' is missing")
    }
    return value
  }

  /// Takes the one key that is there of several that exclude each other.
  mutating func needOne(
    of keys: [String], _ what: String
  ) throws(ScenarioError) -> (key: String, value: YAMLValue) {
    DecodingLog.current?.excluded(name, keys)
    var found: [(key: String, value: YAMLValue)] = []
    for key in keys { if let value = take(key) { found.append((key, value)) } }
    guard found.count == 1 else {
      if found.isEmpty { try finish() }
      let here = found.map { "'\($0.key)'" }.joined(separator: ", ")
      throw ScenarioError(
        line: line,
        "\(what) is one of \(keys.joined(separator: ", "))"
          + (here.isEmpty ? "" : "; here are \(here)"))
    }
    return found[0]
  }

  /// Takes all keys, whatever they are called.
  mutating func takeAll() -> [(key: String, value: YAMLValue)] {
    DecodingLog.current?.opened(name)
    defer { pairs = [] }
    return pairs
  }

  /// Refuses the keys that nobody asked for.
  func finish() throws(ScenarioError) {
    guard let (key, value) = pairs.first else { return }
    throw value.error(
      "unknown key '\(key.prefix(40))' (allowed: \(asked.joined(separator: ", ")))")
  }
}

extension YAMLMapping {
  /// The address of a page.
  mutating func page(_ key: String) throws(ScenarioError) -> GPA {
    try need(key).page(key)
  }
}
