extension UInt64 {
  /// The number in hex with `0x`, as all output of the tools writes addresses and raw values.
  public var hex: String { "0x" + String(self, radix: 16) }
}
