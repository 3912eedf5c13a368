/// How a slot's writes are found (SPEC T3).
public enum DirtyMethod: String, Sendable, Hashable, CaseIterable {
  /// Leaves lose W; the fault of the first write marks the page.
  case writeProtect = "write-protect"
  /// Hardware sets D; a look at the log collects it. Needs an encoder with D.
  case dirtyBit = "dirty-bit"
  /// Hardware sets D and logs the address. Needs an encoder with D.
  case pageModificationLog = "pml"
}
