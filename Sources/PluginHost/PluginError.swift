public import Paging

/// Why a plugin cannot be loaded, bound or believed (SPEC H2, H3). Each case prints as one line.
public enum PluginError: Error, Sendable, Hashable {
  /// The file cannot be read.
  case unreadable(path: String, reason: String)
  /// The file is not a shared object for this machine, or a damaged one.
  case notSharedObject(path: String, reason: String)
  /// The dynamic loader refuses it.
  case notLoadable(path: String, reason: String)
  /// The shared object does not export a symbol, or not as what it should be.
  case symbol(path: String, symbol: String, reason: String)
  /// The manifest does not begin as one.
  case wrongMagic(path: String, found: UInt64)
  /// The plugin was built for another interface.
  case wrongABI(path: String, found: UInt32, expected: UInt32)
  /// A struct of the plugin is smaller than the interface says. **Units** bytes.
  case tooSmall(path: String, what: String, found: Int, expected: Int)
  /// The manifest breaks a rule.
  case manifest(path: String, rule: String)
  /// A signature does not parse.
  case signature(path: String, hook: String, text: String, SignatureError)
  /// There is no hook of that name, or the plugin does not serve it.
  case hook(path: String, hook: String, reason: String)
  /// The hook offers no such parameter.
  case parameter(path: String, hook: String, parameter: String, offered: [String])
  /// The hook offers the parameter with another type.
  case parameterType(path: String, hook: String, parameter: String, found: CType, offered: CType)
  /// The hook must return something else.
  case returnType(path: String, hook: String, found: CType, allowed: [CType])
  /// libffi cannot make the call.
  case callInterface(path: String, symbol: String, reason: String)
  /// The plugin's init did not want to.
  case declined(plugin: String, status: Int32)
  /// The process that ran a plugin apart is gone, or was ended for giving no answer.
  case crashed(plugin: String, hook: String, how: String)
  /// A plugin that is to run apart does not load; the worker's words.
  case worker(path: String, reason: String)
  /// An answer breaks a rule: the bits and their owner are the layout error's.
  case answer(plugin: String, hook: String, value: String, LayoutError)
}

extension PluginError: CustomStringConvertible {
  /// One line, however the plugin spells its names.
  public var description: String { text.foldedToLine }

  private var text: String {
    switch self {
    case .unreadable(let path, let reason): "\(path): \(reason)"
    case .notSharedObject(let path, let reason): "\(path): not a usable shared object: \(reason)"
    case .notLoadable(let path, let reason): "\(path): cannot be loaded: \(reason)"
    case .symbol(let path, let symbol, let reason): "\(path): symbol '\(symbol)' \(reason)"
    case .wrongMagic(let path, let found):
      "\(path): mmu_plugin_manifest is not a plugin manifest (it begins with \(hex(found)))"
    case .wrongABI(let path, let found, let expected):
      "\(path): built for plugin ABI version \(found), this program has version \(expected)"
    case .tooSmall(let path, let what, let found, let expected):
      "\(path): \(what) has \(found) bytes (at least \(expected))"
    case .manifest(let path, let rule): "\(path): manifest: \(rule)"
    case .signature(let path, let hook, let text, let error):
      "\(path): hook \(hook): signature \"\(text)\" \(error)"
    case .hook(let path, let hook, let reason): "\(path): hook '\(hook)' \(reason)"
    case .parameter(let path, let hook, let parameter, let offered):
      "\(path): hook \(hook) offers no parameter '\(parameter)' "
        + "(\(offered.joined(separator: ", ")))"
    case .parameterType(let path, let hook, let parameter, let found, let offered):
      "\(path): hook \(hook): parameter '\(parameter)' is \(offered), the signature says \(found)"
    case .returnType(let path, let hook, let found, let allowed):
      "\(path): hook \(hook) returns "
        + allowed.map(\.description).joined(separator: " or ") + ", the signature says \(found)"
    case .callInterface(let path, let symbol, let reason):
      "\(path): no call of '\(symbol)' can be made: \(reason)"
    case .declined(let plugin, let status):
      "plugin '\(plugin)' declined (init returned \(status))"
    case .crashed(let plugin, let hook, let how): "plugin '\(plugin)', hook \(hook): \(how)"
    case .worker(let path, let reason):
      reason.hasPrefix(path) || reason.hasPrefix("plugin '") ? reason : "\(path): \(reason)"
    case .answer(let plugin, let hook, let value, let error):
      "plugin '\(plugin)', hook \(hook): the answer \(value) is refused: \(error)"
    }
  }
}

extension String {
  /// The text with control characters as `?`, at most 1000 characters of it.
  var foldedToLine: String {
    var result = String.UnicodeScalarView()
    for scalar in unicodeScalars.prefix(1000) {
      let isControl = scalar.properties.generalCategory == .control
      result.append(isControl ? "?" : scalar)
    }
    return String(result)
  }
}

/// A number in hex with `0x`.
func hex(_ value: some BinaryInteger) -> String { "0x" + String(value, radix: 16) }
