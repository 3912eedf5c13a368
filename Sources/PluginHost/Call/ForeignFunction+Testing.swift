extension ForeignFunction {
  /// Any exported function of any shared object.
  ///
  /// - Throws: `PluginError`.
  package static func open(
    path: String, symbol: String, signature: Signature
  ) throws(PluginError) -> ForeignFunction {
    let library = try SharedLibrary.open(path)
    return try ForeignFunction(symbol, in: library, as: signature, isThreadSafe: true)
  }
}

/// Judges a file as `Plugin` does before it loads it.
///
/// - Throws: `PluginError`.
package func checkSharedObject(path: String) throws(PluginError) {
  _ = try SharedObjectCheck(path: path)
}
