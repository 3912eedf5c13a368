/// The files of a new plugin: those of `Templates`, with the plugin's name for `@NAME@`.
struct PluginTemplate {
  let name: String
  let language: PluginNew.Language

  /// Names and texts.
  var files: [(name: String, text: String)] {
    [
      ("\(name).\(language.fileExtension)", filled(language.source)),
      ("Makefile", filled(language.makefile)),
    ]
  }

  private func filled(_ template: [UInt8]) -> String {
    String(decoding: template, as: UTF8.self).replacing("@NAME@", with: name)
  }
}

extension PluginNew.Language {
  fileprivate var fileExtension: String {
    switch self {
    case .c: "c"
    case .cxx: "cpp"
    case .rust: "rs"
    }
  }

  fileprivate var source: [UInt8] {
    switch self {
    case .c: PackageResources.plugin_c_in
    case .cxx: PackageResources.plugin_cpp_in
    case .rust: PackageResources.plugin_rs_in
    }
  }

  fileprivate var makefile: [UInt8] {
    switch self {
    case .c: PackageResources.Makefile_c_in
    case .cxx: PackageResources.Makefile_cpp_in
    case .rust: PackageResources.Makefile_rs_in
    }
  }
}
