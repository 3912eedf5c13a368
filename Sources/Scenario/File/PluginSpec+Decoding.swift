extension PluginSpec {
  init(_ value: YAMLValue) throws(ScenarioError) {
    line = value.line
    var map = try value.mapping("plugin")
    path = try map.need("path").string()
    hooks = nil
    if let list = try map.take("hooks")?.list() {
      var names: [String] = []
      for item in list { names.append(try item.string()) }
      hooks = names
    }
    settings = []
    if var given = try map.take("settings")?.mapping("settings") {
      for (key, value) in given.takeAll() { settings.append((key, try value.string())) }
    }
    bindings = []
    if var given = try map.take("bind")?.mapping("bindings") {
      for (hook, value) in given.takeAll() {
        var binding = try value.mapping("binding")
        bindings.append(
          Binding(
            hook: hook, symbol: try binding.need("symbol").string(),
            signature: try binding.need("signature").string()))
        try binding.finish()
      }
    }
    try map.finish()
    guard bindings.isEmpty || (hooks == nil && settings.isEmpty) else {
      throw value.error("functions that are bound by hand get no hooks and no settings")
    }
  }
}
