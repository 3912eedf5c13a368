/// A plugin that a scenario names.
public struct PluginSpec: Sendable {
  /// A symbol bound to a hook by hand.
  public struct Binding: Sendable {
    /// The hook.
    public var hook: String
    /// The symbol of the shared object.
    public var symbol: String
    /// Its signature.
    public var signature: String
  }

  /// The line of the plugin.
  public var line: Int
  /// The shared object, relative to the scenario file.
  public var path: String
  /// The hooks to use, or `nil` for all that it has.
  public var hooks: [String]?
  /// Handed to the plugin.
  public var settings: [(key: String, value: String)]
  /// Symbols bound by hand.
  public var bindings: [Binding]
}
