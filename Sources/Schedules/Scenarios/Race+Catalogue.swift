extension Race {
  /// The races that `mmu races` knows.
  public static let all: [Race] = [
    .faultsAndLink, .faultsAndZap, .faultAndSplit, .faultAndCollapse, .faultAndNewRoot,
    .zapAndRepair, .zapAndTrackedRead, .markAndZap, .walkAndRemoval, .writeAndHostUnmap,
    .writeAndMove, .writeAndClear, .writeAndCleanBit, .writeAndModificationLog, .writeAndRing,
    .writeAndLogStart,
  ]

  /// The race of a name.
  public static func named(_ name: String) -> Race? { all.first { $0.name == name } }
}
