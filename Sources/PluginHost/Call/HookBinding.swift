/// A function of a shared object for a hook, as a manifest or a user names it.
public struct HookBinding: Sendable, Hashable {
  /// The hook.
  public let hook: String
  /// The exported function.
  public let symbol: String
  /// Its type, as text.
  public let signature: String

  /// A binding; checked when the plugin is loaded.
  public init(hook: String, symbol: String, signature: String) {
    self.hook = hook
    self.symbol = symbol
    self.signature = signature
  }
}
