import Scenario

/// Writes the JSON Schema of scenario files from what the decoder asks for.
struct SchemaWriter {
  let objects: [String: DecodingLog.Object]

  /// The schema, keys in a fixed order, two spaces a level.
  var text: String {
    var lines = [
      "{", #"  "$schema": "https://json-schema.org/draft/2020-12/schema","#,
      #"  "title": "swift-mmu scenario","#, ##"  "$ref": "#/$defs/scenario","##, #"  "$defs": {"#,
      ##"    "number": {"type": "string", "pattern": "^(0[xX][0-9a-fA-F]+|[0-9]+)( ?(KiB|MiB|GiB|TiB))?$"},"##,
      ##"    "wide-number": {"type": "string", "pattern": "^(0x[0-9a-fA-F]+|[0-9]+)$"},"##,
    ]
    let names = objects.keys.sorted()
    for name in names {
      guard let object = objects[name] else { continue }
      lines += definition(name, object)
      if name != names.last { lines[lines.count - 1] += "," }
    }
    return (lines + ["  }", "}"]).joined(separator: "\n") + "\n"
  }

  private func definition(_ name: String, _ object: DecodingLog.Object) -> [String] {
    var parts: [[String]] = [[#"      "type": "object""#]]
    if object.isOpen {
      parts.append([#"      "additionalProperties": "# + form("*", of: object)])
    } else {
      parts.append([#"      "additionalProperties": false"#])
    }
    let required = object.needed.filter { $0.value == object.count }.keys.sorted()
    if !required.isEmpty { parts.append([#"      "required": "# + list(required)]) }
    for keys in object.exclusive.sorted(by: { $0.joined() < $1.joined() }) {
      let choices = keys.map { #"{"required": ["\#($0)"]}"# }.joined(separator: ", ")
      parts.append([#"      "oneOf": [\#(choices)]"#])
    }
    let keys = object.keys.sorted()
    if !keys.isEmpty {
      let properties = keys.map { #"        "\#($0)": "# + form($0, of: object) }
      parts.append(
        [#"      "properties": {"#]
          + properties.enumerated().map { $1 + ($0 < properties.count - 1 ? "," : "") } + [
            "      }"
          ])
    }
    for index in parts.indices.dropLast() { parts[index][parts[index].count - 1] += "," }
    return [#"    "\#(name)": {"#] + parts.flatMap(\.self) + ["    }"]
  }

  private func form(_ key: String, of object: DecodingLog.Object) -> String {
    let forms = (object.forms[key] ?? []).map { json($0, key, object) }.sorted()
    return forms.count == 1 ? forms[0] : #"{"anyOf": [\#(forms.joined(separator: ", "))]}"#
  }

  private func json(
    _ form: DecodingLog.Form, _ key: String, _ object: DecodingLog.Object
  ) -> String {
    switch form {
    case .text: return #"{"type": ["string", "number", "boolean"]}"#
    case .flag: return #"{"type": "boolean"}"#
    case .number(let range):
      return #"{"anyOf": [{"type": "integer", "minimum": \#(range.lowerBound), "#
        + ##""maximum": \##(range.upperBound)}, {"$ref": "#/$defs/number"}]}"##
    case .wideNumber:
      return ##"{"anyOf": [{"type": "integer", "minimum": 0}, {"$ref": "#/$defs/wide-number"}]}"##
    case .choice(let words):
      return #"{"enum": "# + list(words, numbers: words.compactMap { Int($0) }) + "}"
    case .list:
      return #"{"type": "array", "items": "# + self.form(key + "[]", of: object) + "}"
    case .object(let name): return ##"{"$ref": "#/$defs/\##(name)"}"##
    }
  }

  private func list(_ words: [String], numbers: [Int] = []) -> String {
    "[" + (words.map { "\"\($0)\"" } + numbers.map(String.init)).joined(separator: ", ") + "]"
  }
}
